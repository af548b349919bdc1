'use strict';
// Descriptors over the channel between processes: a connection, a listening socket, a datagram
// socket and a connection over a path are passed to a child and go on working there.

const assert = require('assert');
const { fork } = require('child_process');
const dgram = require('dgram');
const net = require('net');
const path = require('path');
const { once } = require('events');
const { collect, listen, run, temporaryFolder } = require('./common.js');

const CONNECTIONS = 100;

async function parent() {
  await connections({ port: 0, host: '127.0.0.1' });
  await connections({ path: path.join(temporaryFolder(), 'socket') });
  await aListeningSocket();
  await aDatagramSocket();
  await aConnectionWhoseChildDied();
}

const children = {
  connections() {
    process.on('message', (message, socket) => {
      socket.end(`${message} ${process.pid}`);
    });
  },
  server() {
    process.on('message', (message, server) => {
      if (message === 'end') return process.disconnect();
      server.on('connection', (socket) => socket.end(String(process.pid)));
      process.once('disconnect', () => server.close());
      process.send('listening');
    });
  },
  datagrams() {
    process.on('message', (message, socket) => {
      if (message === 'end') return process.disconnect();
      socket.on('message', (data, { address, port }) => {
        socket.send(`${data} ${process.pid}`, port, address);
      });
      process.once('disconnect', () => socket.close());
      process.send('receiving');
    });
  },
};

async function connections(where) {
  const child = fork(__filename, ['connections']);
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    child.send('from', socket);
  });
  const address = await listen(server, where);
  const target = where.path ? { path: where.path } : { port: address.port, host: where.host };
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    assert.strictEqual(String(await collect(net.connect(target))), `from ${child.pid}`);
  }));
  server.close();
  await once(server, 'close');
  child.disconnect();
  assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
}

async function aListeningSocket() {
  const child = fork(__filename, ['server']);
  const server = net.createServer();
  const { port } = await listen(server);
  child.send('server', server);
  await once(child, 'message');
  // From now on only the child accepts.
  server.close();
  for (let count = 0; count < 20; count += 1) {
    const text = String(await collect(net.connect(port, '127.0.0.1')));
    assert.strictEqual(text, String(child.pid));
  }
  child.send('end');
  assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
}

async function aDatagramSocket() {
  const child = fork(__filename, ['datagrams']);
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  // A socket of which a copy is passed is not read here: else both would get messages.
  child.send('socket', socket);
  await once(child, 'message');
  socket.close();
  const asker = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(asker, 'listening');
  asker.send('ping', port, '127.0.0.1');
  assert.strictEqual(String((await once(asker, 'message'))[0]), `ping ${child.pid}`);
  asker.close();
  child.send('end');
  assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
}

async function aConnectionWhoseChildDied() {
  const child = fork(__filename, ['connections']);
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  const server = net.createServer((socket) => {
    child.send('from', socket, (error) => {
      assert.strictEqual(error.code, 'ERR_IPC_CHANNEL_CLOSED');
      socket.end('no worker');
    });
  });
  const { port } = await listen(server);
  assert.strictEqual(String(await collect(net.connect(port, '127.0.0.1'))), 'no worker');
  server.close();
}

if (process.argv[2]) children[process.argv[2]]();
else run(parent);
