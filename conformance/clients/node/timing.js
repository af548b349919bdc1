// How long each operation of a kind takes when a program awaits one after the other, or has 32 in
// flight: a line `name microseconds processor-microseconds` for each kind.
'use strict';
const { mkdtempSync, rmSync, writeFileSync, promises: fs } = require('fs');
const { tmpdir } = require('os');
const { join } = require('path');
const { promisify } = require('util');
const { randomBytes } = require('crypto');
const { gzip } = require('zlib');
const net = require('net');
const { Worker } = require('worker_threads');

const SERIES_MS = Number(process.argv[2] || 500);
const folder = mkdtempSync(join(tmpdir(), 'timing-'));
const file = join(folder, 'data');
writeFileSync(file, Buffer.alloc(4096, 1));

async function time(name, operation) {
  for (let i = 0; i < 300; i++) await operation();
  const used = process.cpuUsage();
  const begin = process.hrtime.bigint();
  const end = begin + BigInt(SERIES_MS) * 1000000n;
  let count = 0;
  while (process.hrtime.bigint() < end) {
    for (let i = 0; i < 20; i++) await operation();
    count += 20;
  }
  const took = Number(process.hrtime.bigint() - begin) / 1e3;
  const { user, system } = process.cpuUsage(used);
  console.log(name, (took / count).toFixed(2), ((user + system) / count).toFixed(2));
}

// The same operation 32 times at once; the figures are for each.
function together(operation) {
  return () => Promise.all(Array.from({ length: 32 }, operation));
}

async function workerMessages() {
  const source = 'const { parentPort: port } = require("worker_threads");' +
    'port.on("message", (message) => port.postMessage(message));';
  const worker = new Worker(source, { eval: true });
  let answered;
  worker.on('message', () => answered());
  await time('worker_message', () => new Promise((resolve) => {
    answered = resolve;
    worker.postMessage(1);
  }));
  await worker.terminate();
}

async function tcpEcho() {
  const server = net.createServer((socket) => socket.pipe(socket));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = net.connect(server.address().port, '127.0.0.1').setNoDelay(true);
  let answered;
  socket.on('data', () => answered());
  await time('tcp_echo', () => new Promise((resolve) => {
    answered = resolve;
    socket.write('x');
  }));
  socket.destroy();
  server.close();
}

async function main() {
  const bytes = promisify(randomBytes);
  const compress = promisify(gzip);
  const data = Buffer.alloc(1000, 'ab');
  await time('stat', () => fs.stat(file));
  await time('readFile', () => fs.readFile(file));
  await time('writeFile', () => fs.writeFile(join(folder, 'out'), 'hello'));
  await time('randomBytes', () => bytes(16));
  await time('gzip', () => compress(data));
  await workerMessages();
  await time('stat_32', together(() => fs.stat(file)));
  await time('readFile_32', together(() => fs.readFile(file)));
  await tcpEcho();
  rmSync(folder, { recursive: true });
}

main();
