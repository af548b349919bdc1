'use strict';
// Ports that have messages at the same time get them in the order in which the ports were made,
// whatever was sent first: browsers promise this of BroadcastChannel, and Node.js leaves it to
// libuv.

const assert = require('assert');
const { Worker, isMainThread, workerData } = require('worker_threads');
const { called, run } = require('./common.js');

const names = ['first', 'second', 'third', 'fourth'];

async function tests() {
  await channelsOfOneNameInTheOrderOfTheirMaking();
  await portsInTheOrderOfTheirMaking();
  await whatAWorkerSentMeanwhile();
  await portsMadeWhileMessagesAreOnTheirWay();
}

function channels(name, seen, done) {
  return names.map((label) => {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => {
      seen.push(`${label}: ${data}`);
      if (seen.length === names.length - 1) done();
    };
    return channel;
  });
}

async function channelsOfOneNameInTheOrderOfTheirMaking() {
  for (let sender = 0; sender < names.length; sender += 1) {
    const seen = [];
    await new Promise((done) => {
      const all = channels('one name', seen, () => setImmediate(() => {
        all.forEach((channel) => channel.close());
        done();
      }));
      all[sender].postMessage(sender);
    });
    const others = names.filter((_, index) => index !== sender);
    assert.deepStrictEqual(seen, others.map((label) => `${label}: ${sender}`));
  }
}

// Channels of the names, the port that sends and the port that receives.
function ports(seen, done) {
  return names.map((label) => {
    const { port1, port2 } = new MessageChannel();
    port2.on('message', called((message) => {
      seen.push(`${label}: ${message}`);
      port2.close();
      if (seen.length === names.length) done();
    }));
    return port1;
  });
}

async function portsInTheOrderOfTheirMaking() {
  for (const order of [[3, 2, 1, 0], [1, 3, 0, 2], [0, 1, 2, 3], [2, 0, 3, 1]]) {
    const seen = [];
    await new Promise((done) => {
      const senders = ports(seen, done);
      for (const index of order) senders[index].postMessage('hello');
    });
    assert.deepStrictEqual(seen, names.map((label) => `${label}: hello`));
  }
}

// This thread waits until the worker has sent everything, the last port's message first.
async function whatAWorkerSentMeanwhile() {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const seen = [];
  await new Promise((done) => {
    const senders = ports(seen, done);
    const worker = new Worker(__filename, {
      workerData: { senders, shared },
      transferList: senders,
    });
    worker.on('online', called(() => {
      Atomics.store(shared, 0, 1);
      Atomics.notify(shared, 0);
      while (Atomics.load(shared, 0) !== 2) Atomics.wait(shared, 0, 1, 10);
    }));
  });
  assert.deepStrictEqual(seen, names.map((label) => `${label}: from a worker`));
}

function worker({ senders, shared }) {
  while (Atomics.load(shared, 0) !== 1) Atomics.wait(shared, 0, 0, 10);
  for (const port of [...senders].reverse()) port.postMessage('from a worker');
  Atomics.store(shared, 0, 2);
  Atomics.notify(shared, 0);
}

// A port of a callback's making has the place behind the one that is called.
async function portsMadeWhileMessagesAreOnTheirWay() {
  const seen = [];
  await new Promise((done) => {
    const all = ['a', 'b', 'c'].map((label) => {
      const channel = new MessageChannel();
      channel.port2.on('message', () => seen.push(label));
      return channel;
    });
    all[0].port2.once('message', () => {
      const late = new MessageChannel();
      late.port2.on('message', called(() => seen.push('late')));
      setImmediate(() => {
        for (const { port1 } of [all[2], late, all[1]]) port1.postMessage('again');
        setImmediate(() => setImmediate(() => {
          [...all, late].forEach(({ port1 }) => port1.close());
          done();
        }));
      });
    });
    all[0].port1.postMessage('go');
  });
  assert.deepStrictEqual(seen, ['a', 'late', 'b', 'c']);
}

if (isMainThread) run(tests);
else worker(workerData);
