'use strict';
// The pool has four threads, or as many as UV_THREADPOOL_SIZE says, from outside or set by the
// script before the pool's first job. How many threads do the jobs is read from the
// processor time of each: a quiet machine with many processors is not needed for that.

const assert = require('assert');
const { execFile } = require('child_process');
const crypto = require('crypto');
const { promisify } = require('util');
const { run, threadTimes } = require('./common.js');

const ITERATIONS = 40000;
const SET_IN_SCRIPT = 'set-in-script=';

run(async () => {
  const argument = process.argv[2] || '';
  if (argument.startsWith(SET_IN_SCRIPT)) {
    process.env.UV_THREADPOOL_SIZE = argument.slice(SET_IN_SCRIPT.length);
  }
  const size = Number(process.env.UV_THREADPOOL_SIZE || 4);
  await jobsShareThreads(size);
  if (size === 1) await oneThreadKeepsTheOrder();
  // Where the runner said nothing of the size, the other ways of saying it are tried as well.
  if (!argument && process.env.UV_THREADPOOL_SIZE === undefined) await otherSizes();
});

async function jobsShareThreads(size) {
  const begin = process.cpuUsage();
  crypto.pbkdf2Sync('password', 'salt', ITERATIONS, 64, 'sha512');
  const used = process.cpuUsage(begin);
  const oneJob = (used.user + used.system) * 1000;

  const before = threadTimes();
  const jobs = size * 3;
  await Promise.all(Array.from({ length: jobs }, () => derive(ITERATIONS)));
  const times = [...threadTimes()].map(([id, time]) => [id, time - (before.get(id) || 0)]);
  const busy = times.filter(([, time]) => time > oneJob / 2);
  assert.strictEqual(busy.length, size,
    `${jobs} jobs were done by ${busy.length} threads instead of ${size}: ` +
    `one job takes ${oneJob} ns, threads ran for ${times.map(([, time]) => time)}`);
  const main = times.find(([id]) => id === String(process.pid));
  assert(main[1] < oneJob / 2, 'the loop\'s thread did the work');
}

async function oneThreadKeepsTheOrder() {
  const order = [];
  // The earlier a job, the longer it takes: two threads would turn the order around.
  await Promise.all([20000, 8000, 3000, 1000, 1].map(async (iterations, index) => {
    await derive(iterations);
    order.push(index);
  }));
  assert.deepStrictEqual(order, [0, 1, 2, 3, 4]);
}

async function otherSizes() {
  const again = promisify(execFile);
  for (const size of [1, 2, 6]) {
    const env = { ...process.env, UV_THREADPOOL_SIZE: String(size) };
    await again(process.execPath, [__filename, 'child'], { env });
  }
  await again(process.execPath, [__filename, `${SET_IN_SCRIPT}3`]);
}

function derive(iterations) {
  return promisify(crypto.pbkdf2)('password', 'salt', iterations, 64, 'sha512');
}
