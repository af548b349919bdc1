'use strict';
// Worker threads each have a loop of their own: one that is busy delays no other, each has its
// own sockets, timers and file operations, and a busy one can be ended.

const assert = require('assert');
const fs = require('fs');
const net = require('net');
const { once } = require('events');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { collect, listen, run, threads } = require('./common.js');

const jobs = {
  async everything() {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setImmediate(resolve));
    assert((await fs.promises.readFile(__filename)).length > 100);
    const server = net.createServer((socket) => socket.pipe(socket));
    const { port } = await listen(server);
    const socket = net.connect(port, '127.0.0.1');
    socket.end('from a worker');
    assert.strictEqual(String(await collect(socket)), 'from a worker');
    server.close();
    return 'done';
  },

  async echo() {
    parentPort.on('message', (message) => {
      if (message === 'end') parentPort.close();
      else parentPort.postMessage(message);
    });
  },

  async waitForSharedMemory() {
    const shared = new Int32Array(workerData.shared);
    parentPort.postMessage('waiting');
    Atomics.wait(shared, 0, 0);
    return shared[0];
  },

  async busyForEver() {
    parentPort.postMessage('busy');
    for (;;);
  },

  async leavesThingsOpen() {
    net.createServer().listen(0);
    setInterval(() => {}, 1000);
    fs.watch('/tmp');
    parentPort.postMessage('open');
    // What is left open must go away with the loop.
    setImmediate(() => process.exit(7));
    return undefined;
  },
};

async function tests() {
  const before = threads().length;
  await oneAfterAnother();
  await allAtOnce();
  await messagesInOrder();
  await aBusyWorkerHoldsUpNobody();
  await aWaitingWorkerIsWoken();
  await aWorkerThatLeavesThingsOpen();
  // The pool, at most: the workers' own threads have ended.
  assert(threads().length <= before + 4, 'threads of workers are left over');
}

function start(job, data = {}) {
  return new Worker(__filename, { workerData: { job, ...data } });
}

async function oneAfterAnother() {
  for (let round = 0; round < 3; round += 1) {
    const worker = start('everything');
    const [[message], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    assert.deepStrictEqual([message, code], ['done', 0]);
  }
}

async function allAtOnce() {
  await Promise.all(Array.from({ length: 8 }, async () => {
    const worker = start('everything');
    const [[message], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    assert.deepStrictEqual([message, code], ['done', 0]);
  }));
}

async function messagesInOrder() {
  const worker = start('echo');
  const count = 20000;
  const seen = [];
  worker.on('message', (message) => {
    seen.push(message);
    if (seen.length === count) worker.postMessage('end');
  });
  for (let index = 0; index < count; index += 1) worker.postMessage(index);
  await once(worker, 'exit');
  assert.deepStrictEqual(seen, Array.from({ length: count }, (_, index) => index));
}

async function aBusyWorkerHoldsUpNobody() {
  const busy = start('busyForEver');
  await once(busy, 'message');
  await oneAfterAnother();
  for (let turn = 0; turn < 10; turn += 1) await new Promise((next) => setTimeout(next, 1));
  assert.strictEqual(await busy.terminate(), 1);
}

async function aWaitingWorkerIsWoken() {
  const shared = new SharedArrayBuffer(4);
  const worker = start('waitForSharedMemory', { shared });
  await once(worker, 'message');
  const answer = once(worker, 'message');
  const view = new Int32Array(shared);
  Atomics.store(view, 0, 42);
  Atomics.notify(view, 0);
  assert.strictEqual((await answer)[0], 42);
}

async function aWorkerThatLeavesThingsOpen() {
  const worker = start('leavesThingsOpen');
  assert.strictEqual((await once(worker, 'exit'))[0], 7);
}

if (isMainThread) {
  run(tests);
} else {
  jobs[workerData.job]().then((answer) => {
    if (answer !== undefined) parentPort.postMessage(answer);
  });
}
