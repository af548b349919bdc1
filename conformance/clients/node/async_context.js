'use strict';
// AsyncLocalStorage: what was stored is there in the callback of every kind of request and
// handle, though many of them are under way at once.

const assert = require('assert');
const { AsyncLocalStorage } = require('async_hooks');
const { exec } = require('child_process');
const crypto = require('crypto');
const dgram = require('dgram');
const dns = require('dns');
const fs = require('fs');
const net = require('net');
const zlib = require('zlib');
const { called, listen, run } = require('./common.js');

const storage = new AsyncLocalStorage();
const ROUNDS = 50;

run(async () => {
  const server = net.createServer((socket) => socket.end('hello'));
  const { port } = await listen(server);
  const ways = {
    readFile: (done) => fs.readFile(__filename, done),
    stat: (done) => fs.stat(__filename, done),
    missing: (done) => fs.open('/does/not/exist', () => done()),
    lookup: (done) => dns.lookup('localhost', done),
    numeric: (done) => dns.lookup('127.0.0.1', done),
    randomBytes: (done) => crypto.randomBytes(10, done),
    pbkdf2: (done) => crypto.pbkdf2('a', 'b', 10, 10, 'sha1', done),
    gzip: (done) => zlib.gzip('text', done),
    timer: (done) => setTimeout(done, 1),
    immediate: (done) => setImmediate(done),
    tick: (done) => process.nextTick(done),
    promise: (done) => Promise.resolve().then(done),
    tcp: (done) => net.connect(port, '127.0.0.1').on('close', () => done()).resume(),
    udp: (done) => {
      const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
        socket.send('x', socket.address().port, '127.0.0.1');
      });
      socket.on('message', () => socket.close(() => done()));
    },
  };
  await Promise.all(Object.entries(ways).flatMap(([name, start]) =>
    Array.from({ length: ROUNDS }, (_, round) => stays(name, start, round))));
  await stays('child', (done) => exec('exit 0', done), 0);
  await alongAChain();
  assert.strictEqual(storage.getStore(), undefined);
  server.close();
});

function stays(name, start, round) {
  const store = { name, round };
  return new Promise((resolve, reject) => {
    storage.run(store, () => start(called((error) => {
      if (error) reject(error);
      else if (storage.getStore() !== store) reject(new Error(`${name} lost what was stored`));
      else resolve();
    })));
  });
}

async function alongAChain() {
  await Promise.all(Array.from({ length: ROUNDS }, (_, round) => storage.run(round, async () => {
    for (let step = 0; step < 5; step += 1) {
      await fs.promises.readFile(__filename);
      assert.strictEqual(storage.getStore(), round);
      await new Promise((resolve) => setImmediate(resolve));
      assert.strictEqual(storage.getStore(), round);
    }
  })));
}
