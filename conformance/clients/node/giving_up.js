'use strict';
// AbortController: a read, a request, a timer and a child are given up, before they begin and
// while they are under way; what was given up has no effect afterwards.

const assert = require('assert');
const { EventEmitter, once } = require('events');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const { Readable } = require('stream');
const { pipeline } = require('stream/promises');
const { listen, never, run, temporaryFolder } = require('./common.js');

const { promises } = fs;
const GIVEN_UP = { name: 'AbortError', code: 'ABORT_ERR' };

run(async () => {
  const folder = temporaryFolder();
  await reads(path.join(folder, 'file'));
  await writes(path.join(folder, 'written'));
  await manyReads(path.join(folder, 'file'));
  await streams(path.join(folder, 'file'));
  await requests();
  await events();
});

function controller() {
  const made = new AbortController();
  return { abort: () => made.abort(), signal: made.signal };
}

async function reads(file) {
  fs.writeFileSync(file, Buffer.alloc(8 << 20, 'read'));
  const early = controller();
  early.abort();
  await assert.rejects(promises.readFile(file, { signal: early.signal }), GIVEN_UP);

  const late = controller();
  const reading = promises.readFile(file, { signal: late.signal });
  setImmediate(late.abort);
  await assert.rejects(reading, GIVEN_UP);

  // By callback.
  const third = controller();
  const error = await new Promise((resolve) => {
    fs.readFile(file, { signal: third.signal }, resolve);
    process.nextTick(third.abort);
  });
  assert.strictEqual(error.code, 'ABORT_ERR');

  // After the end nothing happens.
  const after = controller();
  assert.strictEqual((await promises.readFile(file, { signal: after.signal })).length, 8 << 20);
  after.abort();
}

async function writes(file) {
  const given = controller();
  const content = Buffer.alloc(32 << 20, 'write');
  const writing = promises.writeFile(file, content, { signal: given.signal });
  process.nextTick(given.abort);
  await assert.rejects(writing, GIVEN_UP);
  assert(fs.statSync(file).size < content.length);
}

async function manyReads(file) {
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    const given = controller();
    const reading = promises.readFile(file, { signal: given.signal });
    if (index % 2) {
      setImmediate(given.abort);
      await assert.rejects(reading, GIVEN_UP);
    } else if (index % 10 === 0) {
      assert.strictEqual((await reading).length, 8 << 20);
    } else {
      process.nextTick(given.abort);
      await assert.rejects(reading, GIVEN_UP);
    }
  }));
}

async function streams(file) {
  const given = controller();
  const endless = Readable.from((function* chunks() { for (;;) yield Buffer.alloc(1000); })());
  const writing = pipeline(endless, fs.createWriteStream(file), { signal: given.signal });
  setTimeout(given.abort, 10);
  await assert.rejects(writing, GIVEN_UP);

  const other = controller();
  const stream = fs.createReadStream(file, { signal: other.signal });
  stream.on('end', never('the end of a stream that was given up'));
  const failed = once(stream, 'error');
  other.abort();
  assert.strictEqual((await failed)[0].code, 'ABORT_ERR');
}

async function requests() {
  const waiting = new Set();
  const server = http.createServer((request) => {
    waiting.add(request);
    request.on('close', () => waiting.delete(request));
  });
  const { port } = await listen(server);
  const given = controller();
  const request = http.get({ port, host: '127.0.0.1', signal: given.signal });
  request.on('response', never('an answer'));
  await once(server, 'request');
  const failed = once(request, 'error');
  given.abort();
  assert.strictEqual((await failed)[0].code, 'ABORT_ERR');
  while (waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));

  const listening = controller();
  const listener = net.createServer();
  listener.listen({ port: 0, host: '127.0.0.1', signal: listening.signal });
  await once(listener, 'listening');
  listening.abort();
  await once(listener, 'close');
  server.close();
}

async function events() {
  const given = controller();
  const waiting = once(new EventEmitter(), 'never', { signal: given.signal });
  given.abort();
  await assert.rejects(waiting, GIVEN_UP);
  const timed = fs.promises.readFile(__filename, { signal: AbortSignal.timeout(100000) });
  assert((await timed).length > 0);
}
