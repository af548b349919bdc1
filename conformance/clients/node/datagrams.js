'use strict';
// Datagrams: addresses, connected sockets, many in order, large ones, IPv6 where there is any,
// multicast over loopback, options, and what goes wrong.

const assert = require('assert');
const dgram = require('dgram');
const os = require('os');
const { once } = require('events');
const { called, never, run } = require('./common.js');

run(async () => {
  await questionAndAnswer('udp4', '127.0.0.1');
  const addresses = Object.values(os.networkInterfaces()).flat();
  if (addresses.some(({ address }) => address === '::1')) await questionAndAnswer('udp6', '::1');
  await manyInOrder();
  await connected();
  await emptyAndLarge();
  await severalBuffers();
  await multicast();
  await options();
  await mistakes();
});

async function open(type = 'udp4', host = '127.0.0.1') {
  const socket = dgram.createSocket(type);
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}

async function close(...sockets) {
  for (const socket of sockets) {
    const closed = once(socket, 'close');
    socket.close();
    await closed;
  }
}

async function questionAndAnswer(type, host) {
  const [server, client] = [await open(type, host), await open(type, host)];
  server.on('message', (data, from) => server.send(`${data}!`, from.port, from.address));
  client.send('hello', server.address().port, host);
  const [data, from] = await once(client, 'message');
  assert.deepStrictEqual([String(data), from.address, from.port, from.size],
    ['hello!', host, server.address().port, 6]);
  await close(server, client);
}

async function manyInOrder() {
  const [receiver, sender] = [await open(), await open()];
  const { port } = receiver.address();
  const count = 5000;
  let seen = 0;
  // No more under way than surely fits into the receiver's buffer.
  for (let sent = 0; sent < count; sent += 50) {
    const all = new Promise((resolve, reject) => {
      receiver.removeAllListeners('message');
      receiver.on('message', (data) => {
        if (String(data) !== `number ${seen}`) reject(new Error(`${data} instead of ${seen}`));
        if ((seen += 1) === sent + 50) resolve();
      });
    });
    for (let index = sent; index < sent + 50; index += 1) {
      sender.send(`number ${index}`, port, '127.0.0.1', called((error, bytes) => {
        assert.ifError(error);
        assert.strictEqual(bytes, `number ${index}`.length);
      }));
    }
    await all;
  }
  await close(receiver, sender);
}

async function connected() {
  const [server, client, stranger] = [await open(), await open(), await open()];
  client.connect(server.address().port, '127.0.0.1');
  await once(client, 'connect');
  assert.strictEqual(client.remoteAddress().port, server.address().port);
  client.send('to whom I am connected');
  const [, from] = await once(server, 'message');
  // No other sender's datagrams arrive.
  stranger.send('stranger', from.port, '127.0.0.1');
  await new Promise((resolve) => stranger.send('stranger', from.port, '127.0.0.1', resolve));
  server.send('friend', from.port, '127.0.0.1');
  assert.strictEqual(String((await once(client, 'message'))[0]), 'friend');
  client.disconnect();
  assert.throws(() => client.remoteAddress(), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
  client.send('to any peer', stranger.address().port, '127.0.0.1');
  assert.strictEqual(String((await once(stranger, 'message'))[0]), 'to any peer');

  // Connected to a port without a receiver: the kernel's refusal arrives as an error.
  const port = stranger.address().port;
  await close(stranger);
  client.connect(port, '127.0.0.1');
  await once(client, 'connect');
  client.send('any peer?');
  assert.strictEqual((await once(client, 'error'))[0].code, 'ECONNREFUSED');
  await close(server, client);
}

async function emptyAndLarge() {
  const [receiver, sender] = [await open(), await open()];
  for (const size of [0, 1, 1500, 65507]) {
    sender.send(Buffer.alloc(size, 'x'), receiver.address().port, '127.0.0.1');
    const [data] = await once(receiver, 'message');
    assert(data.equals(Buffer.alloc(size, 'x')));
  }
  const error = await new Promise((resolve) => {
    sender.send(Buffer.alloc(65508), receiver.address().port, '127.0.0.1', resolve);
  });
  assert.strictEqual(error.code, 'EMSGSIZE');
  await close(receiver, sender);
}

async function severalBuffers() {
  const [receiver, sender] = [await open(), await open()];
  const parts = Array.from({ length: 100 }, (_, index) => Buffer.from(`part ${index} `));
  sender.send(parts, receiver.address().port, '127.0.0.1');
  assert((await once(receiver, 'message'))[0].equals(Buffer.concat(parts)));
  await close(receiver, sender);
}

async function multicast() {
  const group = '239.255.77.77';
  const receiver = dgram.createSocket({ type: 'udp4', reuseAddr: true });
  receiver.bind(0, group);
  await once(receiver, 'listening');
  receiver.addMembership(group, '127.0.0.1');
  const sender = await open();
  sender.setMulticastInterface('127.0.0.1');
  sender.setMulticastTTL(1);
  sender.setMulticastLoopback(true);
  sender.send('to all', receiver.address().port, group);
  assert.strictEqual(String((await once(receiver, 'message'))[0]), 'to all');
  receiver.dropMembership(group, '127.0.0.1');
  assert.throws(() => receiver.dropMembership(group, '127.0.0.1'), { code: 'EADDRNOTAVAIL' });
  await close(receiver, sender);
}

async function options() {
  const socket = await open();
  socket.setBroadcast(true);
  socket.setTTL(10);
  socket.setRecvBufferSize(20000);
  socket.setSendBufferSize(20000);
  assert(socket.getRecvBufferSize() >= 20000);
  assert(socket.getSendBufferSize() >= 20000);
  assert.strictEqual(socket.getSendQueueSize === undefined || socket.getSendQueueSize() === 0,
    true);
  assert.throws(() => socket.setTTL(1000), { code: 'EINVAL' });
  // Does not keep the process.
  socket.unref();
  const other = await open();
  await close(other);
  socket.on('message', never('a message'));
}

async function mistakes() {
  const socket = await open();
  const taken = dgram.createSocket('udp4');
  taken.bind(socket.address().port, '127.0.0.1');
  assert.strictEqual((await once(taken, 'error'))[0].code, 'EADDRINUSE');
  const foreign = dgram.createSocket('udp4');
  foreign.bind(0, '192.0.2.1');
  assert.strictEqual((await once(foreign, 'error'))[0].code, 'EADDRNOTAVAIL');
  await close(socket);
  assert.throws(() => socket.send('late', 1, '127.0.0.1'),
    { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' });
}
