'use strict';
// Streams with backpressure: a writer that is faster than the reader has to wait, what waits in
// memory stays bounded, and nothing is lost. Over TCP, over a path and through a child.

const assert = require('assert');
const { spawn } = require('child_process');
const crypto = require('crypto');
const net = require('net');
const path = require('path');
const { once } = require('events');
const { PassThrough, Readable, Transform } = require('stream');
const { pipeline } = require('stream/promises');
const { listen, run, temporaryFolder, until } = require('./common.js');

const CHUNK = Buffer.alloc(64 << 10, 'backpressure');
const TOTAL = 24 << 20;

run(async () => {
  await aReaderThatPauses({ port: 0, host: '127.0.0.1' });
  await aReaderThatPauses({ path: path.join(temporaryFolder(), 'socket') });
  await aSlowLinkInAChain();
  await aChildThatReadsLate();
  await aReaderThatGoesAway();
});

async function pair(where) {
  const server = net.createServer({ pauseOnConnect: true });
  const { port } = await listen(server, where);
  const writer = net.connect(where.path ? { path: where.path } : { port, host: where.host });
  const [[reader]] = await Promise.all([once(server, 'connection'), once(writer, 'connect')]);
  server.close();
  return { reader, writer };
}

async function aReaderThatPauses(where) {
  const { reader, writer } = await pair(where);
  let written = 0;
  while (writer.write(CHUNK)) written += CHUNK.length;
  written += CHUNK.length;
  // There is no reader: the kernel's buffers fill up, and then there is no drain.
  let drained = false;
  const fill = () => {
    drained = true;
    while (written < TOTAL && writer.write(CHUNK)) written += CHUNK.length;
  };
  writer.on('drain', fill);
  do {
    drained = false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  } while (drained);
  assert(written < TOTAL, 'all was taken without a reader');
  assert(writer.writableLength > 0 && writer.writableLength <= 4 * CHUNK.length,
    `${writer.writableLength} bytes wait`);
  writer.removeListener('drain', fill);

  let received = 0;
  let pauses = 0;
  reader.on('data', (data) => {
    received += data.length;
    // In fits and starts.
    if (received > (pauses + 1) * (100 << 10)) {
      pauses += 1;
      reader.pause();
      setTimeout(() => reader.resume(), 1);
    }
  });
  reader.resume();
  await once(writer, 'drain');
  assert.strictEqual(writer.writableLength, 0);
  const ended = once(reader, 'end');
  writer.end('last');
  await ended;
  // The chunk that was refused is counted by bytesWritten only.
  assert.strictEqual(received, writer.bytesWritten);
  assert(pauses > 0);
}

async function aSlowLinkInAChain() {
  const { reader, writer } = await pair({ port: 0, host: '127.0.0.1' });
  let produced = 0;
  let consumed = 0;
  let furthest = 0;
  const hashes = [crypto.createHash('sha1'), crypto.createHash('sha1')];
  const source = new Readable({
    read() {
      const chunk = produced < TOTAL ? crypto.randomBytes(64 << 10) : null;
      if (chunk) {
        hashes[0].update(chunk);
        produced += chunk.length;
        furthest = Math.max(furthest, produced - consumed);
      }
      this.push(chunk);
    },
  });
  const slow = new Transform({
    transform(chunk, encoding, callback) {
      consumed += chunk.length;
      hashes[1].update(chunk);
      setImmediate(callback, null, chunk);
    },
  });
  const sink = new PassThrough();
  sink.resume();
  await Promise.all([pipeline(source, writer), pipeline(reader, slow, sink)]);
  assert.strictEqual(consumed, TOTAL);
  assert.strictEqual(hashes[0].digest('hex'), hashes[1].digest('hex'));
  // The kernel's buffers count as well, so only a wide bound is certain.
  assert(furthest < TOTAL, 'the producer never had to wait');
}

async function aChildThatReadsLate() {
  const child = spawn('sh', ['-c', 'read go <&3; wc -c'],
    { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] });
  let waits = 0;
  for (let sent = 0; sent < TOTAL; sent += CHUNK.length) {
    if (child.stdin.write(CHUNK)) continue;
    const drained = once(child.stdin, 'drain');
    if ((waits += 1) === 2) child.stdio[3].end('go\n');
    await drained;
  }
  child.stdin.end();
  const [answer] = await once(child.stdout, 'data');
  assert.strictEqual(Number(answer), TOTAL);
  assert(waits > 0, 'the writer never had to wait');
}

async function aReaderThatGoesAway() {
  const { reader, writer } = await pair({ port: 0, host: '127.0.0.1' });
  const failed = once(writer, 'error').catch((error) => [error]);
  // Data that was not read makes the end an abrupt one.
  const fill = () => { while (writer.write(CHUNK)); };
  writer.on('drain', fill);
  fill();
  await until(() => writer.bytesWritten > writer.writableLength);
  reader.destroy();
  const [error] = await failed;
  assert(['ECONNRESET', 'EPIPE'].includes(error.code), `${error}`);
}
