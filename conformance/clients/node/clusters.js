'use strict';
// cluster: the workers use one port, once with connections that the primary accepts and passes
// as descriptors (round robin), once with the listening socket itself passed. A worker that
// is killed is replaced, and all end when they are disconnected.

const assert = require('assert');
const cluster = require('cluster');
const http = require('http');
const net = require('net');
const { once } = require('events');
const { collect, run, until } = require('./common.js');

const WORKERS = 3;

async function primary() {
  // The policy can be set once only in a process.
  if (process.argv[2] === undefined) {
    await as('round-robin');
    await as('shared');
    return;
  }
  cluster.schedulingPolicy =
    process.argv[2] === 'shared' ? cluster.SCHED_NONE : cluster.SCHED_RR;
  cluster.setupPrimary({ args: [] });

  const ports = new Set();
  for (let count = 0; count < WORKERS; count += 1) ports.add(await addWorker());
  assert.strictEqual(ports.size, 1, 'the workers listen on different ports');
  const [port] = ports;

  const seen = await everyWorkerAnswers(port);
  await aWorkerIsReplaced(port, seen);
  await streamsThroughAWorker(port);
  await allAreDisconnected();
}

function as(policy) {
  const { fork } = require('child_process');
  return once(fork(__filename, [policy]), 'exit').then(([code, signal]) => {
    assert.deepStrictEqual([code, signal], [0, null], `with policy ${policy}`);
  });
}

async function addWorker() {
  const worker = cluster.fork();
  const [address] = await once(worker, 'listening');
  return address.port;
}

async function ask(port) {
  const request = http.get({ port, host: '127.0.0.1', agent: false });
  const [response] = await once(request, 'response');
  return Number(await collect(response));
}

async function everyWorkerAnswers(port) {
  const pids = Object.values(cluster.workers).map((worker) => worker.process.pid);
  const seen = new Set();
  if (cluster.schedulingPolicy === cluster.SCHED_RR) {
    for (let count = 0; count < WORKERS; count += 1) seen.add(await ask(port));
    assert.deepStrictEqual([...seen].sort(), pids.sort(), 'not everybody had a turn');
  } else {
    // The kernel decides which worker gets a connection; one of them must.
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(port)));
    for (const pid of answers) assert(pids.includes(pid));
  }
  return pids;
}

async function aWorkerIsReplaced(port, pids) {
  const victim = Object.values(cluster.workers)[0];
  const exit = once(cluster, 'exit');
  victim.process.kill('SIGKILL');
  const [worker, code, signal] = await exit;
  assert.deepStrictEqual([worker.id, code, signal], [victim.id, null, 'SIGKILL']);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port)));
  assert(!answers.includes(victim.process.pid), 'a dead worker answered');
  assert.strictEqual(await addWorker(), port);
  if (cluster.schedulingPolicy === cluster.SCHED_RR) {
    await until(async () => !pids.includes(await ask(port)));
  }
}

async function streamsThroughAWorker(port) {
  const content = Buffer.alloc(1 << 20, 'cluster');
  await Promise.all(Array.from({ length: 10 }, async () => {
    const request = http.request({ port, host: '127.0.0.1', agent: false, method: 'POST' });
    request.end(content);
    const [response] = await once(request, 'response');
    assert((await collect(response)).equals(content));
  }));
}

async function allAreDisconnected() {
  const workers = Object.values(cluster.workers);
  const exits = workers.map((worker) => once(worker, 'exit'));
  await new Promise((resolve) => cluster.disconnect(resolve));
  for (const [code, signal] of await Promise.all(exits)) {
    assert.deepStrictEqual([code, signal], [0, null]);
  }
}

function work() {
  const server = http.createServer((request, response) => {
    if (request.method === 'POST') request.pipe(response);
    else response.end(String(process.pid));
  });
  server.listen(0, '127.0.0.1');
}

if (cluster.isPrimary) run(primary);
else work();
