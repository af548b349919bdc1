'use strict';
// net.Server and net.Socket from their beginning to their end: halves that close on their own,
// servers that wait for their connections, resets, refusals, time limits and addresses.

const assert = require('assert');
const net = require('net');
const { once } = require('events');
const { called, collect, listen, never, run } = require('./common.js');

const HOST = '127.0.0.1';

run(async () => {
  await oneHalfAfterTheOther();
  await bothHalvesByThemselves();
  await aServerWaitsForItsConnections();
  await closedBeforeItListens();
  await refused();
  await reset();
  await taken();
  await quiet();
  await addresses();
  await limits();
  await manyShortConnections();
  await unreferenced();
});

async function close(server) {
  const closed = once(server, 'close');
  server.close();
  await closed;
}

async function oneHalfAfterTheOther() {
  const server = net.createServer({ allowHalfOpen: true }, async (socket) => {
    // The client has ended its half: ours still works.
    const question = await collect(socket);
    socket.write('you said ');
    setImmediate(() => socket.end(question));
  });
  const { port } = await listen(server);
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true });
  socket.end('hello');
  assert.strictEqual(String(await collect(socket)), 'you said hello');
  await close(server);
}

async function bothHalvesByThemselves() {
  // Without allowHalfOpen the other side's end ends ours.
  const server = net.createServer((socket) => {
    socket.resume();
    socket.on('end', called());
    socket.on('finish', called());
    socket.on('close', called((failed) => assert.strictEqual(failed, false)));
  });
  const { port } = await listen(server);
  const socket = net.connect(port, HOST);
  socket.end('data').resume();
  await once(socket, 'close');
  assert(socket.destroyed && socket.readyState === 'closed');
  assert.strictEqual(socket.bytesWritten, 4);
  await close(server);
}

async function aServerWaitsForItsConnections() {
  const server = net.createServer();
  const { port } = await listen(server);
  const socket = net.connect(port, HOST);
  const [inner] = await once(server, 'connection');
  let closed = false;
  server.close(called(() => { closed = true; }));
  await assert.rejects(once(net.connect(port, HOST), 'connect'), { code: 'ECONNREFUSED' });
  assert(!closed, 'a server closed before its connection');
  inner.end('bye');
  assert.strictEqual(String(await collect(socket)), 'bye');
  while (!closed) await new Promise((resolve) => setImmediate(resolve));
  assert.strictEqual(server.address(), null);
}

async function closedBeforeItListens() {
  const server = net.createServer();
  server.close(called((error) => assert.strictEqual(error.code, 'ERR_SERVER_NOT_RUNNING')));
  // A server can listen again after it was closed.
  await listen(server);
  await close(server);
  await listen(server);
  await close(server);
}

async function refused() {
  const server = net.createServer();
  const { port } = await listen(server);
  await close(server);
  const socket = net.connect(port, HOST);
  socket.on('connect', never('a connection'));
  const [error] = await once(socket, 'error');
  assert.deepStrictEqual([error.code, error.syscall, error.address, error.port],
    ['ECONNREFUSED', 'connect', HOST, port]);
}

async function reset() {
  const server = net.createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
  const { port } = await listen(server);
  const socket = net.connect(port, HOST);
  socket.write('data');
  const [error] = await once(socket, 'error');
  assert.strictEqual(error.code, 'ECONNRESET');
  await close(server);
}

async function taken() {
  const server = net.createServer();
  const { port } = await listen(server);
  await assert.rejects(listen(net.createServer(), { port, host: HOST }),
    { code: 'EADDRINUSE', syscall: 'listen', port });
  await assert.rejects(listen(net.createServer(), { port: 0, host: '192.0.2.1' }),
    { code: 'EADDRNOTAVAIL' });
  await close(server);
}

async function quiet() {
  const server = net.createServer();
  const { port } = await listen(server);
  const socket = net.connect(port, HOST);
  socket.setTimeout(20);
  await once(socket, 'timeout');
  assert(!socket.destroyed, 'a time limit closes nothing by itself');
  socket.destroy();
  await close(server);
}

async function addresses() {
  const server = net.createServer();
  const address = await listen(server);
  assert.deepStrictEqual(address, { address: HOST, family: 'IPv4', port: address.port });
  const socket = net.connect({ port: address.port, host: HOST, localAddress: '127.0.0.2' });
  const [[inner]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')]);
  assert.strictEqual(inner.remoteAddress, '127.0.0.2');
  assert.strictEqual(inner.remotePort, socket.localPort);
  assert.strictEqual(inner.localPort, address.port);
  socket.setNoDelay(true).setKeepAlive(true, 1000);
  socket.destroy();
  inner.destroy();
  await close(server);

  const both = net.createServer();
  await listen(both, { port: 0 });
  const [outer] = await Promise.all([once(both, 'connection'),
    once(net.connect(both.address().port, HOST).end(), 'connect')]);
  outer[0].end();
  await close(both);
}

async function limits() {
  const server = net.createServer((socket) => socket.end('welcome'));
  server.maxConnections = 1;
  const { port } = await listen(server);
  const kept = net.connect({ port, host: HOST, allowHalfOpen: true });
  await once(kept, 'data');
  const turned = net.connect(port, HOST);
  const answer = await collect(turned).catch((error) => {
    assert.strictEqual(error.code, 'ECONNRESET');
    return '';
  });
  assert.strictEqual(String(answer), '');
  kept.end();
  await close(server);
}

async function manyShortConnections() {
  const server = net.createServer((socket) => socket.end());
  const { port } = await listen(server);
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 50 }, (_, index) => {
      const socket = net.connect(port, HOST);
      socket.on('error', () => {});
      // Given up at every stage: before, at and after the connection.
      if (index % 3 === 0) setImmediate(() => socket.destroy());
      if (index % 3 === 1) socket.on('connect', () => socket.destroy());
      socket.resume();
      return once(socket, 'close');
    }));
  }
  await close(server);
}

async function unreferenced() {
  const server = net.createServer();
  const { port } = await listen(server);
  const socket = net.connect(port, HOST);
  const [[inner]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')]);
  // Open, but they do not keep the process: the watchdog would fail.
  server.unref();
  socket.unref();
  inner.unref();
}
