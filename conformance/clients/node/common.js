'use strict';
// Common parts of the scripts. Each exits 0 when all that it claims is true, and says what is
// not true otherwise. Loading this file proves first that the process, child
// processes and workers as well, runs on the libuv that is asked for and on no other.
//
// By hand: OXUV_EXPECT=/path/of/libuv.so.1.0.0 node NAME.js

const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { finished } = require('stream/promises');

function proveLibrary() {
  const { OXUV_EXPECT, OXUV_LIBRARY } = process.env;
  const expected = OXUV_EXPECT || fs.realpathSync(path.join(OXUV_LIBRARY, 'libuv.so.1'));
  const paths = fs.readFileSync('/proc/self/maps', 'utf8').split('\n')
    .map((line) => line.split(/\s+/)[5] || '')
    .filter((file) => /\/libuv(-[^/]*)?\.so/.test(file));
  assert.deepStrictEqual([...new Set(paths)], [expected], 'another libuv is mapped');
}

// Runs the script. It fails when `body` throws, does not finish in time, or leaves the loop
// empty before it has finished; and when a function made by `called` was not called as often
// as promised. After `body`, the process must end by itself: a handle that is left over keeps
// it alive until the time is up.
function run(body) {
  // The runner inspects this process from outside as well, but not what it starts.
  if (process.env.OXUV_LIBRARY && !process.env.OXUV_SEEN) require('./ready.js')();
  process.env.OXUV_SEEN = 'yes';
  let finished = false;
  const watchdog = setTimeout(() => fail('not finished in time'), 120000);
  watchdog.unref();
  process.on('exit', (code) => {
    if (code !== 0) return;
    if (!finished) fail('the loop ran out of work before the script was done');
    for (const promise of promises) {
      if (promise.count !== promise.expected) {
        fail(`called ${promise.count} times, not ${promise.expected}: ${promise.where}`);
      }
    }
  });
  Promise.resolve().then(body).then(() => { finished = true; }, fail);
}

function fail(reason) {
  fs.writeSync(2, `${path.basename(process.argv[1])}: ${reason && reason.stack || reason}\n`);
  process.reallyExit(1);
}

const promises = [];

// A function that must be called `expected` times until the process ends.
function called(callback = () => {}, expected = 1) {
  const where = new Error().stack.split('\n')[2].trim();
  const promise = { count: 0, expected, where };
  promises.push(promise);
  return function(...values) {
    promise.count += 1;
    return callback.apply(this, values);
  };
}

// A function that must never be called.
function never(what) {
  return (...values) => { throw new Error(`${what} must not happen: ${values}`); };
}

// A folder that goes away with the process.
function temporaryFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'oxuv-node-'));
  const owner = process.pid;
  process.on('exit', () => {
    if (process.pid === owner) fs.rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

// The threads of this process, by id.
function threads() {
  return fs.readdirSync('/proc/self/task');
}

// How long each thread has run, in nanoseconds, by thread id.
function threadTimes() {
  const times = new Map();
  for (const id of threads()) {
    const text = fs.readFileSync(`/proc/self/task/${id}/schedstat`, 'utf8');
    times.set(id, Number(text.split(' ')[0]));
  }
  return times;
}

// Keeps this thread busy.
function spin(milliseconds) {
  const end = process.hrtime.bigint() + BigInt(milliseconds) * 1000000n;
  while (process.hrtime.bigint() < end);
}

// Waits until `condition` returns something, asking once an iteration of the loop.
async function until(condition) {
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

// Listens on a free port of loopback, or at a path.
function listen(server, where = { port: 0, host: '127.0.0.1' }) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve(server.address());
    });
  });
}

// All that a stream gives until its end. Its other half, if any, is left alone.
async function collect(stream) {
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
  stream.resume();
  await finished(stream, { writable: false });
  return Buffer.concat(chunks);
}

// The end of a child process, with what it printed.
async function outcome(child) {
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const [stdout, stderr] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => stream ? collect(stream) : ''));
  return { ...await ended, stdout: String(stdout), stderr: String(stderr) };
}

proveLibrary();

module.exports = {
  called, collect, listen, never, outcome, run, spin, temporaryFolder,
  threadTimes, threads, until,
};
