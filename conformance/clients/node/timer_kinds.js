'use strict';
// Timers: never early, each once, intervals again and again; unref and ref; cancelled and
// refreshed ones; thousands of them; timers with promises.

const assert = require('assert');
const { execFile } = require('child_process');
const timers = require('timers/promises');
const { promisify } = require('util');
const { called, never, run, spin } = require('./common.js');

run(async () => {
  await neverEarly();
  await intervals();
  await cancelled();
  await refreshed();
  await manyOfThem();
  await afterABusyTime();
  await withPromises();
  await unreferenced();
});

async function neverEarly() {
  await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    const delay = 1 + index % 40;
    const begin = process.hrtime.bigint();
    await new Promise((resolve) => setTimeout(resolve, delay));
    const taken = Number(process.hrtime.bigint() - begin) / 1e6;
    // Node counts in whole milliseconds and so may be early by less than one.
    assert(taken > delay - 1, `${taken} ms instead of ${delay}`);
  }));
}

async function intervals() {
  await new Promise((resolve) => {
    let count = 0;
    const interval = setInterval(called(() => {
      count += 1;
      if (count < 10) return;
      clearInterval(interval);
      resolve();
    }, 10), 2);
  });
  // Two intervals: the shorter one is called more often.
  const counts = [0, 0];
  const both = [1, 20].map((delay, index) => setInterval(() => { counts[index] += 1; }, delay));
  await new Promise((resolve) => setTimeout(resolve, 300));
  both.forEach(clearInterval);
  assert(counts[0] > counts[1] && counts[1] > 0, `${counts}`);
}

async function cancelled() {
  clearTimeout(setTimeout(never('a cancelled timer'), 1));
  clearImmediate(setImmediate(never('a cancelled immediate')));
  const late = setTimeout(never('a timer cancelled by an earlier one'), 30);
  setTimeout(called(() => clearTimeout(late)), 1);
  const second = [];
  // One of the same duration cancels the next before it is called.
  setTimeout(called(() => clearTimeout(second[0])), 5);
  second.push(setTimeout(never('a timer cancelled by its neighbour'), 5));
  await new Promise((resolve) => setTimeout(resolve, 40));
}

async function refreshed() {
  const begin = process.hrtime.bigint();
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, 60);
    setTimeout(() => timer.refresh(), 30);
  });
  assert(Number(process.hrtime.bigint() - begin) / 1e6 > 88, 'refresh had no effect');
}

async function manyOfThem() {
  const count = 50000;
  await new Promise((resolve) => {
    let left = count;
    for (let index = 0; index < count; index += 1) {
      setTimeout(called(() => { if ((left -= 1) === 0) resolve(); }), 1 + (index * 7919) % 300);
    }
  });
}

async function afterABusyTime() {
  const order = [];
  setTimeout(() => order.push('long'), 200);
  setTimeout(() => order.push('short'), 100);
  spin(400);
  setTimeout(() => order.push('new'), 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepStrictEqual(order, ['short', 'long', 'new']);
}

async function withPromises() {
  assert.strictEqual(await timers.setTimeout(1, 'value'), 'value');
  assert.strictEqual(await timers.setImmediate('value'), 'value');
  const controller = new AbortController();
  const waiting = timers.setTimeout(100000, undefined, { signal: controller.signal });
  controller.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  let count = 0;
  for await (const value of timers.setInterval(1, 'again')) {
    assert.strictEqual(value, 'again');
    if ((count += 1) === 5) break;
  }
}

async function unreferenced() {
  setTimeout(never('an unreferenced timer'), 100000).unref();
  const timer = setTimeout(called(), 5);
  assert(timer.hasRef() && !timer.unref().hasRef() && timer.ref().hasRef());
  const script = async (code) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', code]);
    return stdout.trim();
  };
  assert.strictEqual(await script('setTimeout(() => console.log("late"), 5e4).unref()'), '');
  assert.strictEqual(
    await script('setTimeout(() => console.log("late"), 5).unref().ref()'), 'late');
  assert.strictEqual(await script('setImmediate(() => console.log("late")).unref()'), '');
  assert.strictEqual(
    await script('setInterval(() => console.log("x"), 1).unref(); setTimeout(() => {}, 100)')
      .then((text) => text.split('\n').length > 3), true);
}
