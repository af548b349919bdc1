'use strict';
// Signals arrive on the loop, also while it is busy, in workers' parents and children; without
// a listener the default action is back.

const assert = require('assert');
const { fork, spawn } = require('child_process');
const { once } = require('events');
const { Worker } = require('worker_threads');
const { called, never, outcome, run, spin, until } = require('./common.js');

async function parent() {
  // Waiting for a signal alone does not keep a process.
  const keep = setInterval(() => {}, 1000);
  await eachArrives();
  await whileBusy();
  await ownChildren();
  await listenersComeAndGo();
  await childrenAndTheDefault();
  await besideAWorker();
  assert.throws(() => process.on('SIGKILL', () => {}), { code: 'EINVAL' });
  assert(process.kill(process.pid, 0));
  assert.throws(() => process.kill(2 ** 22 + 1, 0), { code: 'ESRCH' });
  clearInterval(keep);
}

async function eachArrives() {
  for (const name of ['SIGUSR2', 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGWINCH', 'SIGALRM', 'SIGPIPE',
    'SIGCONT', 'SIGRTMIN']) {
    if (require('os').constants.signals[name] === undefined) continue;
    const arrived = once(process, name);
    process.kill(process.pid, name);
    const [seen, number] = await arrived;
    assert.deepStrictEqual([seen, number], [name, require('os').constants.signals[name]]);
  }
}

async function whileBusy() {
  let inside = true;
  let seen = 0;
  const listener = () => {
    assert(!inside, 'a signal interrupted the code');
    seen += 1;
  };
  process.on('SIGUSR2', listener);
  for (let count = 0; count < 5; count += 1) process.kill(process.pid, 'SIGUSR2');
  spin(20);
  inside = false;
  await until(() => seen > 0);
  process.removeListener('SIGUSR2', listener);
}

async function ownChildren() {
  const arrived = once(process, 'SIGUSR2');
  const delivered = once(process, 'SIGCHLD');
  const child = spawn('sh', ['-c', `kill -USR2 ${process.pid}`]);
  await Promise.all([arrived, delivered, once(child, 'exit')]);
}

async function listenersComeAndGo() {
  for (let round = 0; round < 200; round += 1) {
    const arrived = once(process, 'SIGUSR2');
    process.kill(process.pid, 'SIGUSR2');
    await arrived;
  }
  // Two listeners get one signal each time.
  const [one, other] = [called(undefined, 1), called(undefined, 1)];
  process.on('SIGUSR2', one);
  process.on('SIGUSR2', other);
  const third = once(process, 'SIGUSR2');
  process.kill(process.pid, 'SIGUSR2');
  await third;
  process.removeListener('SIGUSR2', one);
  process.removeListener('SIGUSR2', other);
}

const children = {
  // Answers signals until the third one, which has no listener any more.
  counts() {
    let count = 0;
    const keep = setInterval(() => {}, 1000);
    process.on('SIGTERM', function listener() {
      count += 1;
      if (count === 2) process.removeListener('SIGTERM', listener);
      process.send(count);
      if (count > 2) clearInterval(keep);
    });
    process.send('ready');
  },
};

async function childrenAndTheDefault() {
  const child = fork(__filename, ['counts']);
  assert.strictEqual((await once(child, 'message'))[0], 'ready');
  for (const count of [1, 2]) {
    child.kill('SIGTERM');
    assert.strictEqual((await once(child, 'message'))[0], count);
  }
  child.on('message', never('a listener that was removed'));
  child.kill('SIGTERM');
  assert.deepStrictEqual(await once(child, 'exit'), [null, 'SIGTERM']);

  // A child does not inherit what we listen to.
  const listener = () => {};
  process.on('SIGHUP', listener);
  const { signal } = await outcome(spawn('sh', ['-c', 'kill -HUP $$; exit 1']));
  assert.strictEqual(signal, 'SIGHUP');
  process.removeListener('SIGHUP', listener);
}

async function besideAWorker() {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await once(worker, 'online');
  for (let round = 0; round < 50; round += 1) {
    const arrived = once(process, 'SIGUSR2');
    process.kill(process.pid, 'SIGUSR2');
    await arrived;
  }
  await worker.terminate();
}

if (process.argv[2]) children[process.argv[2]]();
else run(parent);
