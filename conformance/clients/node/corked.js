'use strict';
// cork and writev: what is written while a socket is corked goes out together, in order and
// whatever it is made of; callbacks of writes come in order, none within its call.

const assert = require('assert');
const net = require('net');
const { once } = require('events');
const { Duplex, Writable } = require('stream');
const { called, collect, listen, run } = require('./common.js');

run(async () => {
  await corkedWritesGoOutTogether();
  await everyKindOfData();
  await thousandsOfPieces();
  await callbacksInOrder();
  await writevOfOnesOwn();
  await endWhileCorked();
});

async function pair() {
  const server = net.createServer({ pauseOnConnect: true });
  const { port } = await listen(server);
  const writer = net.connect(port, '127.0.0.1');
  const [[reader]] = await Promise.all([once(server, 'connection'), once(writer, 'connect')]);
  server.close();
  return { reader, writer };
}

async function corkedWritesGoOutTogether() {
  const { reader, writer } = await pair();
  const pieces = Array.from({ length: 100 }, (_, index) => `piece ${index},`);
  writer.cork();
  for (const piece of pieces) writer.write(piece);
  // Nothing leaves before uncork, though the loop turns.
  for (let turn = 0; turn < 10; turn += 1) await new Promise((next) => setImmediate(next));
  assert.strictEqual(writer._handle.bytesWritten, 0);
  assert.strictEqual(writer.writableLength, pieces.join('').length);
  writer.uncork();
  const [data] = await once(reader.resume(), 'data');
  // One writev of little data over loopback arrives as one.
  assert.strictEqual(String(data), pieces.join(''));
  writer.end();
  await once(reader, 'close');
}

async function everyKindOfData() {
  const { reader, writer } = await pair();
  const pieces = [['text', 'utf8'], ['ümläut €', 'utf8'], ['caf\xe9', 'latin1'], ['fffe00', 'hex'],
    ['b3h1dg==', 'base64'], ['\u00fc\u20ac', 'ucs2'], [Buffer.from([0, 255]), undefined],
    ['', 'utf8'], [new Uint8Array(3), undefined]];
  for (const corked of [true, false]) {
    if (corked) writer.cork();
    for (const [piece, encoding] of pieces) writer.write(piece, encoding);
    if (corked) writer.uncork();
  }
  writer.end();
  const expected = Buffer.concat(pieces.map(([piece, encoding]) => Buffer.from(piece, encoding)));
  assert((await collect(reader)).equals(Buffer.concat([expected, expected])));
}

async function thousandsOfPieces() {
  // More than one system call takes, and more than fits into the kernel's buffers.
  const { reader, writer } = await pair();
  const pieces = Array.from({ length: 5000 }, (_, index) => Buffer.alloc(1000, `${index},`));
  writer.cork();
  pieces.forEach((piece) => writer.write(piece, called()));
  writer.uncork();
  writer.end();
  assert((await collect(reader)).equals(Buffer.concat(pieces)));
}

async function callbacksInOrder() {
  const { reader, writer } = await pair();
  const order = [];
  let inside = true;
  for (let index = 0; index < 500; index += 1) {
    writer.write(Buffer.alloc(10000), called((error) => {
      assert(!error && !inside, 'a callback came within its call');
      order.push(index);
    }));
  }
  inside = false;
  reader.resume();
  writer.end(called(() => order.push('end')));
  await once(reader, 'close');
  assert.deepStrictEqual(order, [...Array.from({ length: 500 }, (_, index) => index), 'end']);
}

async function writevOfOnesOwn() {
  const batches = [];
  const sink = new Writable({
    writev(chunks, callback) {
      batches.push(chunks.map(({ chunk }) => String(chunk)));
      setImmediate(callback);
    },
  });
  for (const text of ['a', 'b', 'c', 'd']) sink.write(text);
  sink.end();
  await once(sink, 'finish');
  assert.deepStrictEqual(batches, [['a'], ['b', 'c', 'd']]);
  assert(new Duplex() instanceof Writable);
}

async function endWhileCorked() {
  const { reader, writer } = await pair();
  writer.cork();
  writer.cork();
  writer.write('one ');
  writer.end('two');
  assert.strictEqual(String(await collect(reader)), 'one two');
}
