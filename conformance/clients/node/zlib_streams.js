'use strict';
// zlib streams: every format there and back, many at once, flushed in between, closed while at
// work, and data that is damaged.

const assert = require('assert');
const crypto = require('crypto');
const zlib = require('zlib');
const { once } = require('events');
const { Readable } = require('stream');
const { promisify } = require('util');
const { collect, never, run } = require('./common.js');

const FORMATS = [['Gzip', 'Gunzip'], ['Deflate', 'Inflate'], ['DeflateRaw', 'InflateRaw'],
  ['BrotliCompress', 'BrotliDecompress']];

run(async () => {
  for (const [pack, unpack] of FORMATS) await thereAndBack(pack, unpack);
  await manyAtOnce();
  await flushedInBetween();
  await closedAtWork();
  await damaged();
});

function content(size) {
  // Half noise, half text.
  return Buffer.concat([crypto.randomBytes(size / 2), Buffer.alloc(size / 2, 'compress me ')]);
}

function options() {
  return { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 3 } };
}

async function thereAndBack(pack, unpack) {
  const data = content(4 << 20);
  const chunks = Array.from({ length: 64 }, (_, index) =>
    data.subarray(index * (64 << 10), (index + 1) * (64 << 10)));
  const stream = Readable.from(chunks)
    .pipe(zlib[`create${pack}`](options()))
    .pipe(zlib[`create${unpack}`]());
  assert((await collect(stream)).equals(data), `${pack} changed the data`);
}

async function manyAtOnce() {
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    const data = Buffer.alloc(50000, `number ${index} `);
    const packed = await promisify(zlib.gzip)(data);
    assert(packed.length < data.length);
    assert((await promisify(zlib.unzip)(packed)).equals(data));
  }));
}

async function flushedInBetween() {
  const pack = zlib.createGzip();
  const unpack = zlib.createGunzip();
  pack.pipe(unpack);
  for (let round = 0; round < 100; round += 1) {
    const arrived = once(unpack, 'data');
    pack.write(`message ${round}`);
    pack.flush();
    assert.strictEqual(String((await arrived)[0]), `message ${round}`);
  }
  pack.end();
  await once(unpack.resume(), 'end');
}

async function closedAtWork() {
  await Promise.all(Array.from({ length: 50 }, async () => {
    const stream = zlib.createGzip();
    stream.on('data', never('data of a closed stream'));
    stream.write(content(1 << 18));
    const closed = once(stream, 'close');
    stream.destroy();
    await closed;
  }));
}

async function damaged() {
  const packed = await promisify(zlib.gzip)(content(10000));
  packed[2000] ^= 0xff;
  packed[packed.length - 6] ^= 0xff;
  await assert.rejects(promisify(zlib.gunzip)(packed), { code: 'Z_DATA_ERROR' });
  await assert.rejects(promisify(zlib.gunzip)(packed.subarray(0, 100)), { code: 'Z_BUF_ERROR' });
}
