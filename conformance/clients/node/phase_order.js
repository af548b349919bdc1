'use strict';
// The order of what an iteration runs: process.nextTick, promises, timers, poll, setImmediate,
// close callbacks.

const assert = require('assert');
const fs = require('fs');
const net = require('net');
const { once } = require('events');
const { listen, run } = require('./common.js');

run(async () => {
  await ticksBeforePromises();
  await immediateBeforeTimerInsideACallbackOfAFile();
  await ticksAndPromisesBetweenCallbacks();
  await immediatesOfImmediatesWaitForTheNextIteration();
  await timersInTheOrderOfTheirDeadlines();
  await closeAfterImmediate();
});

// Collects what happens until `last` does.
function record(start, last) {
  return new Promise((resolve) => {
    const seen = [];
    start((what) => {
      seen.push(what);
      if (what === last) resolve(seen);
    });
  });
}

async function ticksBeforePromises() {
  const seen = await record((note) => {
    // From a callback of the loop: within a promise's callback the order is another.
    setImmediate(() => {
      setImmediate(() => note('immediate'));
      Promise.resolve().then(() => {
        note('promise');
        process.nextTick(() => note('tick of promise'));
        queueMicrotask(() => note('microtask of promise'));
      });
      process.nextTick(() => {
        note('tick');
        process.nextTick(() => note('tick of tick'));
      });
      note('code');
    });
  }, 'immediate');
  assert.deepStrictEqual(seen, ['code', 'tick', 'tick of tick', 'promise',
    'microtask of promise', 'tick of promise', 'immediate']);
}

async function immediateBeforeTimerInsideACallbackOfAFile() {
  for (let round = 0; round < 50; round += 1) {
    const seen = await record((note) => {
      fs.stat(__filename, () => {
        setTimeout(() => note('timer'), 0);
        setImmediate(() => note('immediate'));
        note('poll');
      });
    }, 'timer');
    assert.deepStrictEqual(seen, ['poll', 'immediate', 'timer']);
  }
}

async function ticksAndPromisesBetweenCallbacks() {
  for (const phase of [setImmediate, (callback) => setTimeout(callback, 1)]) {
    const seen = await record((note) => {
      for (const name of ['first', 'second', 'third']) {
        phase(() => {
          Promise.resolve().then(() => note(`promise of ${name}`));
          process.nextTick(() => note(`tick of ${name}`));
          note(name);
        });
      }
    }, 'promise of third');
    assert.deepStrictEqual(seen, ['first', 'tick of first', 'promise of first',
      'second', 'tick of second', 'promise of second',
      'third', 'tick of third', 'promise of third']);
  }
}

async function immediatesOfImmediatesWaitForTheNextIteration() {
  const seen = await record((note) => {
    setImmediate(() => {
      setImmediate(() => note('inner'));
      note('outer');
    });
    setImmediate(() => note('outer neighbour'));
  }, 'inner');
  assert.deepStrictEqual(seen, ['outer', 'outer neighbour', 'inner']);
}

async function timersInTheOrderOfTheirDeadlines() {
  // Far apart, since a busy machine may stop between two calls of setTimeout.
  const delays = [400, 100, 200, 100, 300, 400];
  const seen = [];
  await Promise.all(delays.map((delay, index) => new Promise((resolve) => {
    setTimeout(() => {
      seen.push([delay, index]);
      resolve();
    }, delay);
  })));
  const sorted = [...seen].sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  assert.deepStrictEqual(seen, sorted);
}

async function closeAfterImmediate() {
  const server = net.createServer((socket) => socket.write('data'));
  const { port } = await listen(server);
  for (let round = 0; round < 20; round += 1) {
    const seen = await record((note) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('data', () => {
        setTimeout(() => note('timer'), 0);
        setImmediate(() => note('immediate'));
        socket.once('close', () => note('close'));
        socket.destroy();
        note('poll');
      });
    }, 'timer');
    assert.deepStrictEqual(seen, ['poll', 'immediate', 'close', 'timer']);
  }
  server.close();
  await once(server, 'close');
}
