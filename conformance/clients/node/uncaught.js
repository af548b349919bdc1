'use strict';
// Exceptions in callbacks: with a listener the loop goes on and nothing is lost; without one the
// process ends with its code, whatever else is under way.

const assert = require('assert');
const { spawn } = require('child_process');
const dns = require('dns');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const { once } = require('events');
const { listen, outcome, run } = require('./common.js');

const places = {
  file: (fail) => fs.stat(__filename, fail),
  lookup: (fail) => dns.lookup('localhost', fail),
  random: (fail) => crypto.randomBytes(10, fail),
  timer: (fail) => setTimeout(fail, 1),
  immediate: (fail) => setImmediate(fail),
  tick: (fail) => process.nextTick(fail),
  child: (fail) => spawn('true').on('exit', fail),
  signal: (fail) => {
    process.once('SIGUSR2', fail);
    process.kill(process.pid, 'SIGUSR2');
    setTimeout(() => {}, 100);
  },
};

async function parent() {
  const server = net.createServer((socket) => socket.pipe(socket));
  const { port } = await listen(server);
  places.connect = (fail) => net.connect(port, '127.0.0.1').on('connect', function() {
    this.destroy();
    fail();
  });
  places.data = (fail) => net.connect(port, '127.0.0.1', function() { this.end('x'); })
    .on('data', fail);
  places.close = (fail) => net.connect(port, '127.0.0.1').on('close', fail).destroy();

  for (const [name, start] of Object.entries(places)) {
    const failed = once(process, 'uncaughtException');
    const neighbours = [1, 2, 3].map(() => new Promise((resolve) => start(resolve)));
    start(() => { throw new Error(`from ${name}`); });
    neighbours.push(...[1, 2, 3].map(() => new Promise((resolve) => start(resolve))));
    assert.strictEqual((await failed)[0].message, `from ${name}`);
    await Promise.all(neighbours);
  }
  await manyInARow();
  server.close();
  await once(server, 'close');
  await withoutAListener();
}

async function manyInARow() {
  const count = 100;
  const messages = [];
  const listener = (error) => messages.push(error.message);
  process.on('uncaughtException', listener);
  for (let index = 0; index < count; index += 1) {
    setImmediate(() => { throw new Error(`immediate ${index}`); });
    setTimeout(() => { throw new Error(`timer ${index}`); }, 1);
    fs.stat('/', () => { throw new Error(`file ${index}`); });
  }
  while (messages.length < 3 * count) await new Promise((resolve) => setTimeout(resolve, 1));
  process.removeListener('uncaughtException', listener);
  for (const kind of ['immediate', 'timer', 'file']) {
    const seen = messages.filter((message) => message.startsWith(kind));
    assert.strictEqual(new Set(seen).size, count);
  }
  assert.strictEqual(messages.length, 3 * count);
}

async function withoutAListener() {
  const busy = 'setInterval(() => {}, 1); require("net").createServer().listen(0);' +
    'require("fs").watch("/tmp"); require("crypto").pbkdf2("a", "b", 1e5, 64, "sha1", () => {});';
  const ends = (code) => outcome(spawn(process.execPath, ['-e', busy + code]));
  for (const start of ['fs.stat("/", CALLBACK)', 'setTimeout(CALLBACK, 1)',
    'setImmediate(CALLBACK)', 'dns.lookup("localhost", CALLBACK)', 'child_process.spawn("true").on("exit", CALLBACK)']) {
    const { code, stderr } = await ends(start.replace('CALLBACK', '() => { throw Error("why") }'));
    assert.strictEqual(code, 1);
    assert(stderr.includes('Error: why'), stderr);
  }
  const rejected = await ends('fs.promises.stat("/missing")');
  assert.strictEqual(rejected.code, 1);
  const chosen = await ends('process.on("exit", (code) => { console.log("at exit", code); });' +
    'setTimeout(() => process.exit(23), 1)');
  assert.deepStrictEqual([chosen.code, chosen.stdout], [23, 'at exit 23\n']);
  const aborted = await outcome(spawn('sh', ['-c', 'ulimit -c 0; exec "$0" -e "process.abort()"',
    process.execPath]));
  assert.strictEqual(aborted.signal, 'SIGABRT');
}

run(parent);
