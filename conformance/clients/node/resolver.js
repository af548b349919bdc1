'use strict';
// dns.Resolver: c-ares watches its sockets by uv_poll and its time limits by a timer. The name
// server is in this process: answers over UDP, over TCP where one is cut short, silence,
// refusal and cancelling.

const assert = require('assert');
const dgram = require('dgram');
const dns = require('dns');
const net = require('net');
const { once } = require('events');
const { listen, run, threads } = require('./common.js');

const HOST = '127.0.0.1';

run(async () => {
  const servers = await start();
  const before = threads();
  const resolver = new dns.promises.Resolver({ timeout: 5000, tries: 2 });
  resolver.setServers([`${HOST}:${servers.port}`]);

  assert.deepStrictEqual(await resolver.resolve4('one.test'), ['192.0.2.1']);
  for (let round = 0; round < 10; round += 1) {
    const names = Array.from({ length: 50 }, (_, index) => `host${round}-${index}.test`);
    const answers = await Promise.all(names.map((name) => resolver.resolve4(name)));
    answers.forEach((answer) => assert.deepStrictEqual(answer, ['192.0.2.1']));
  }
  assert.deepStrictEqual(await resolver.resolve4('large.test'),
    Array.from({ length: 100 }, (_, index) => `192.0.2.${index}`));
  await assert.rejects(resolver.resolve4('unknown.test'), { code: 'ENOTFOUND' });
  await assert.rejects(resolver.resolve4('refused.test'), { code: 'EREFUSED' });
  await cancelled(resolver);
  await silence(servers.port);
  assert.deepStrictEqual(threads(), before, 'a thread took part');
  servers.stop();
});

async function cancelled(resolver) {
  const waiting = Array.from({ length: 10 },
    (_, index) => resolver.resolve4(`silent${index}.test`));
  setImmediate(() => resolver.cancel());
  for (const each of await Promise.allSettled(waiting)) {
    assert.strictEqual(each.reason.code, 'ECANCELLED');
  }
}

async function silence(port) {
  const hasty = new dns.promises.Resolver({ timeout: 100, tries: 1 });
  hasty.setServers([`${HOST}:${port}`]);
  await assert.rejects(hasty.resolve4('silent.test'), { code: 'ETIMEOUT' });
  hasty.setServers([`${HOST}:1`]);
  await assert.rejects(hasty.resolve4('one.test'),
    ({ code }) => ['ECONNREFUSED', 'ETIMEOUT'].includes(code));
}

async function start() {
  const stream = net.createServer(serveStream);
  const { port } = await listen(stream);
  const datagrams = dgram.createSocket('udp4');
  datagrams.on('message', (query, from) => {
    const answer = respond(query, 512);
    if (answer) datagrams.send(answer, from.port, from.address);
  });
  datagrams.bind(port, HOST);
  await once(datagrams, 'listening');
  return { port, stop: () => { stream.close(); datagrams.close(); } };
}

function serveStream(socket) {
  let bytes = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (data) => {
    bytes = Buffer.concat([bytes, data]);
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE()) {
      const length = bytes.readUInt16BE();
      const answer = respond(bytes.subarray(2, 2 + length), 65535);
      bytes = bytes.subarray(2 + length);
      const head = Buffer.alloc(2);
      head.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([head, answer]));
    }
  });
}

// The answer to a question for addresses, or nothing where silence is called for.
function respond(query, room) {
  const end = query.indexOf(0, 12) + 5;
  const labels = String(query.subarray(12, end - 5)).replace(/[\x01-\x1f]/g, '.').slice(1);
  const name = labels.toLowerCase();
  if (name.startsWith('silent')) return undefined;
  const code = { 'unknown.test': 3, 'refused.test': 5 }[name] || 0;
  const count = code ? 0 : name === 'large.test' ? 100 : 1;
  const records = Array.from({ length: count }, (_, index) => Buffer.from(
    [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, count === 1 ? 1 : index]));
  const cut = end + records.length * 16 > room;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180 | code | (cut ? 0x0200 : 0), 2);
  head.writeUInt16BE(cut ? 0 : count, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  return cut ? head : Buffer.concat([head, ...records]);
}
