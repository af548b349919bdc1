'use strict';
// dns.lookup, zlib and crypto work on the pool; sockets and timers do not. Each case is a
// process of its own, so that the threads which appear are its doing.

const assert = require('assert');
const { execFile } = require('child_process');
const crypto = require('crypto');
const dgram = require('dgram');
const dns = require('dns');
const { once } = require('events');
const net = require('net');
const { promisify } = require('util');
const zlib = require('zlib');
const { listen, run, threadTimes, threads, until } = require('./common.js');

const cases = {
  async lookup() {
    const { address } = await dns.promises.lookup('localhost', { family: 4 });
    assert.strictEqual(address, '127.0.0.1');
    return { pool: true };
  },
  async randomBytes() {
    assert.strictEqual((await promisify(crypto.randomBytes)(100)).length, 100);
    return { pool: true };
  },
  async scrypt() {
    await promisify(crypto.scrypt)('password', 'salt', 64, { N: 1 << 14 });
    return { pool: true, heavy: true };
  },
  async keys() {
    await promisify(crypto.generateKeyPair)('ec', { namedCurve: 'P-256' });
    return { pool: true };
  },
  async gzip() {
    const data = crypto.randomBytes(4 << 20);
    const packed = await promisify(zlib.gzip)(data);
    assert((await promisify(zlib.gunzip)(packed)).equals(data));
    return { pool: true, heavy: true };
  },
  async tcp() {
    const server = net.createServer((socket) => socket.pipe(socket));
    const { port } = await listen(server);
    for (let round = 0; round < 20; round += 1) {
      const socket = net.connect(port, '127.0.0.1');
      socket.end('ping');
      assert.strictEqual(String((await once(socket, 'data'))[0]), 'ping');
      await once(socket, 'close');
    }
    server.close();
    await once(server, 'close');
    return { pool: false };
  },
  async udp() {
    // A lookup is part of dgram's bind and send unless one brings its own.
    const lookup = (host, options, callback) => {
      process.nextTick(() => (callback || options)(null, '127.0.0.1', 4));
    };
    const socket = dgram.createSocket({ type: 'udp4', lookup });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.send('ping', socket.address().port, '127.0.0.1');
    assert.strictEqual(String((await once(socket, 'message'))[0]), 'ping');
    socket.close();
    return { pool: false };
  },
  async timers() {
    let turns = 0;
    await until(() => (turns += 1) > 20);
    return { pool: false };
  },
};

run(async () => {
  const name = process.argv[2];
  if (name === undefined) {
    for (const each of Object.keys(cases)) {
      await promisify(execFile)(process.execPath, [__filename, each]);
    }
    return;
  }
  const before = threads();
  const { pool, heavy } = await cases[name]();
  const started = threads().filter((id) => !before.includes(id));
  if (!pool) {
    assert.deepStrictEqual(started, [], `${name}: a thread appeared`);
    return;
  }
  assert(started.length >= 1 && started.length <= 4,
    `${name}: ${started.length} threads of the pool appeared`);
  if (heavy) {
    const times = threadTimes();
    const work = started.reduce((sum, id) => sum + times.get(id), 0);
    assert(work > 10e6, `${name}: the pool's threads ran for ${work} ns only`);
  }
});
