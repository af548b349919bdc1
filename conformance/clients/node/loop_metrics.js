'use strict';
// monitorEventLoopDelay sees a loop that is delayed; eventLoopUtilization separates busy time
// from idle time, for workers as well; timerify and the idle time of the loop agree.

const assert = require('assert');
const { once } = require('events');
const { monitorEventLoopDelay, performance } = require('perf_hooks');
const { Worker } = require('worker_threads');
const { run, spin, until } = require('./common.js');

const BUSY = 300;

run(async () => {
  await delays();
  await utilization();
  await utilizationOfAWorker();
});

async function delays() {
  const histogram = monitorEventLoopDelay({ resolution: 5 });
  histogram.enable();
  await until(() => histogram.count > 5);
  spin(BUSY);
  await until(() => histogram.max >= (BUSY / 2) * 1e6);
  assert(histogram.min > 0 && histogram.min <= histogram.mean && histogram.mean <= histogram.max);
  assert(histogram.percentile(100) >= histogram.percentile(50));
  histogram.disable();
  const { count } = histogram;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.strictEqual(histogram.count, count, 'a histogram that is off counts');
}

async function utilization() {
  // The first iteration must be over for there to be any figures.
  await new Promise((resolve) => setTimeout(resolve, 1));
  const start = performance.eventLoopUtilization();
  await new Promise((resolve) => setTimeout(resolve, BUSY));
  const idle = performance.eventLoopUtilization(start);
  assert(idle.idle > BUSY / 2, `an idle loop was idle for ${idle.idle} ms`);

  const middle = performance.eventLoopUtilization();
  spin(BUSY);
  const busy = performance.eventLoopUtilization(middle);
  assert(busy.active >= BUSY - 1 && busy.idle <= 1, `busy: ${JSON.stringify(busy)}`);
  assert(busy.utilization > 0.99 && busy.utilization > idle.utilization);

  const all = performance.eventLoopUtilization();
  assert(all.idle > 0 && all.active > 0 && all.utilization > 0 && all.utilization < 1);
  assert(performance.nodeTiming.idleTime >= all.idle - 1);
}

async function utilizationOfAWorker() {
  const worker = new Worker(`
    const { parentPort } = require('worker_threads');
    parentPort.on('message', (time) => {
      const end = Date.now() + time;
      while (Date.now() < end);
      parentPort.postMessage('done');
    });
    parentPort.postMessage('ready');`, { eval: true });
  await once(worker, 'message');
  const { performance: own } = worker;
  const start = await until(() => {
    const figures = own.eventLoopUtilization();
    return figures.idle + figures.active > 0 && figures;
  });
  await new Promise((resolve) => setTimeout(resolve, BUSY));
  const idle = own.eventLoopUtilization(start);
  assert(idle.utilization < 0.9, `an idle worker: ${JSON.stringify(idle)}`);
  const middle = own.eventLoopUtilization();
  worker.postMessage(BUSY);
  await once(worker, 'message');
  const busy = own.eventLoopUtilization(middle);
  assert(busy.active >= BUSY / 2, `a busy worker: ${JSON.stringify(busy)}`);
  await worker.terminate();
}
