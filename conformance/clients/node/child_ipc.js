'use strict';
// Child processes with a channel for messages: in order, large ones too, in both ways of
// encoding; disconnecting on either side; a channel does not outlive its process.

const assert = require('assert');
const { fork } = require('child_process');
const { once } = require('events');
const { run } = require('./common.js');

const COUNT = 5000;

async function parent() {
  await messagesInOrder();
  await largeMessages();
  await structuredMessages();
  await theParentDisconnects();
  await theChildDisconnects();
  await aChildThatDies();
  await manyChildren();
}

const children = {
  echo() {
    process.on('message', (message) => process.send(message));
  },
  leave() {
    process.once('message', () => process.disconnect());
  },
  die() {
    process.once('message', () => process.kill(process.pid, 'SIGKILL'));
  },
};

function start(name, options = {}) {
  return fork(__filename, [name], options);
}

async function messagesInOrder() {
  const child = start('echo');
  const seen = [];
  const all = new Promise((resolve) => {
    child.on('message', (message) => {
      seen.push(message.index);
      if (seen.length === COUNT) resolve();
    });
  });
  for (let index = 0; index < COUNT; index += 1) child.send({ index });
  await all;
  assert.deepStrictEqual(seen, Array.from({ length: COUNT }, (_, index) => index));
  child.disconnect();
  assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
}

async function largeMessages() {
  const child = start('echo');
  for (const size of [1 << 16, 1 << 20, 8 << 20]) {
    const text = 'large '.repeat(size / 6);
    const answer = once(child, 'message');
    const sent = new Promise((resolve) => child.send(text, resolve));
    assert.strictEqual((await answer)[0], text);
    assert.strictEqual(await sent, null);
  }
  child.disconnect();
  await once(child, 'exit');
}

async function structuredMessages() {
  const child = start('echo', { serialization: 'advanced' });
  const message = {
    map: new Map([[1, new Set([2n])]]), date: new Date(0), bytes: new Uint8Array(100000).fill(7),
  };
  child.send(message);
  assert.deepStrictEqual((await once(child, 'message'))[0], message);
  child.disconnect();
  await once(child, 'exit');
}

async function theParentDisconnects() {
  const child = start('echo');
  const disconnected = once(child, 'disconnect');
  child.disconnect();
  await disconnected;
  assert(!child.connected);
  assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
  child.send('too late', (error) => {
    assert.strictEqual(error.code, 'ERR_IPC_CHANNEL_CLOSED');
  });
}

async function theChildDisconnects() {
  const child = start('leave');
  const ended = Promise.all([once(child, 'disconnect'), once(child, 'exit')]);
  child.send('leave');
  const [, [code, signal]] = await ended;
  assert.deepStrictEqual([code, signal], [0, null]);
}

async function aChildThatDies() {
  const child = start('die');
  const ended = Promise.all([once(child, 'disconnect'), once(child, 'exit')]);
  child.send('die');
  const [, [code, signal]] = await ended;
  assert.deepStrictEqual([code, signal], [null, 'SIGKILL']);
}

async function manyChildren() {
  await Promise.all(Array.from({ length: 8 }, async (_, index) => {
    const child = start('echo');
    for (let round = 0; round < 20; round += 1) {
      const answer = once(child, 'message');
      child.send({ index, round });
      assert.deepStrictEqual((await answer)[0], { index, round });
    }
    child.disconnect();
    assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
  }));
}

if (process.argv[2]) children[process.argv[2]]();
else run(parent);
