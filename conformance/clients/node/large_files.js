'use strict';
// Large files through streams: copied, compressed and read in parts, several at once, with the
// memory that is used bounded; a disc that is full and a stream that is given up are reported.

const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');
const zlib = require('zlib');
const { once } = require('events');
const { pipeline } = require('stream/promises');
const { collect, listen, run, temporaryFolder } = require('./common.js');

const SIZE = 48 << 20;

run(async () => {
  const folder = temporaryFolder();
  const large = path.join(folder, 'large');
  const hash = await make(large);
  await copied(large, path.join(folder, 'copied'), hash);
  await compressed(large, path.join(folder, 'compressed'), hash);
  await inParts(large);
  await severalAtOnce(large, hash);
  await overASocket(large, hash);
  await troubles(large, folder);
});

async function make(file) {
  const hash = crypto.createHash('sha1');
  await pipeline(async function* chunks() {
    const chunk = crypto.randomBytes(1 << 20);
    for (let index = 0; index < SIZE >> 20; index += 1) {
      chunk.writeUInt32BE(index);
      hash.update(chunk);
      yield Buffer.from(chunk);
    }
  }, fs.createWriteStream(file));
  assert.strictEqual(fs.statSync(file).size, SIZE);
  return hash.digest('hex');
}

async function hashOf(stream) {
  const hash = crypto.createHash('sha1');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

async function copied(from, to, hash) {
  const before = process.memoryUsage.rss();
  let most = before;
  const source = fs.createReadStream(from);
  source.on('data', () => { most = Math.max(most, process.memoryUsage.rss()); });
  await pipeline(source, fs.createWriteStream(to));
  assert.strictEqual(await hashOf(fs.createReadStream(to)), hash);
  assert(most - before < 2 * SIZE, `copying took ${most - before} bytes of memory`);
}

async function compressed(from, to, hash) {
  await pipeline(fs.createReadStream(from), zlib.createGzip({ level: 1 }),
    fs.createWriteStream(to));
  assert.strictEqual(await hashOf(fs.createReadStream(to).pipe(zlib.createGunzip())), hash);
}

async function inParts(file) {
  const whole = fs.readFileSync(file);
  for (const [start, end] of [[0, 0], [1, 70000], [SIZE - 10, SIZE - 1], [SIZE - 5, Infinity]]) {
    const part = await collect(fs.createReadStream(file, { start, end, highWaterMark: 1000 }));
    assert(part.equals(whole.subarray(start, end + 1)), `${start} to ${end}`);
  }
}

async function severalAtOnce(file, hash) {
  const hashes = await Promise.all(Array.from({ length: 6 }, () =>
    hashOf(fs.createReadStream(file))));
  assert.deepStrictEqual(new Set(hashes), new Set([hash]));
}

async function overASocket(file, hash) {
  const server = net.createServer((socket) => {
    pipeline(fs.createReadStream(file), socket);
  });
  const { port } = await listen(server);
  assert.strictEqual(await hashOf(net.connect(port, '127.0.0.1')), hash);
  server.close();
  await once(server, 'close');
}

async function troubles(file, folder) {
  await assert.rejects(pipeline(fs.createReadStream(file), fs.createWriteStream('/dev/full')),
    { code: 'ENOSPC' });
  await assert.rejects(collect(fs.createReadStream(path.join(folder, 'missing'))),
    { code: 'ENOENT' });
  await assert.rejects(collect(fs.createReadStream(folder)), { code: 'EISDIR' });
  // Given up half-way: the descriptor is closed.
  const stream = fs.createReadStream(file);
  await once(stream, 'data');
  const closed = once(stream, 'close');
  stream.destroy();
  await closed;
  assert(!openFiles().includes(fs.realpathSync(file)), 'a file was left open');
}

function openFiles() {
  return fs.readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return '';
    }
  });
}
