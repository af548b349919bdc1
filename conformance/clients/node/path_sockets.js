'use strict';
// Sockets at a path: data both ways, the file appears and goes with the server, a stale file and
// a missing one, permissions, long names, and named pipes.

const assert = require('assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');
const { once } = require('events');
const { collect, listen, run, temporaryFolder } = require('./common.js');

run(async () => {
  const folder = temporaryFolder();
  await manyConnections(path.join(folder, 'socket'));
  await permissions(folder);
  await mistakes(folder);
  await longNames(folder);
  await aNamedPipe(path.join(folder, 'fifo'));
});

async function manyConnections(file) {
  const server = net.createServer((socket) => socket.pipe(socket));
  assert.strictEqual(await listen(server, { path: file }), file);
  assert(fs.statSync(file).isSocket());
  await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    const socket = net.connect(file);
    const content = Buffer.alloc(20000, `${index} `);
    socket.end(content);
    assert((await collect(socket)).equals(content));
  }));
  server.close();
  await once(server, 'close');
  assert(!fs.existsSync(file), 'the file outlived the server');
}

async function permissions(folder) {
  for (const [readableAll, writableAll, mode] of
    [[true, true, 0o666], [true, false, 0o444], [false, true, 0o222]]) {
    const file = path.join(folder, `mode${mode}`);
    const server = net.createServer();
    await listen(server, { path: file, readableAll, writableAll });
    assert.strictEqual(fs.statSync(file).mode & mode, mode);
    server.close();
    await once(server, 'close');
  }
}

async function mistakes(folder) {
  const missing = net.connect(path.join(folder, 'missing'));
  assert.strictEqual((await once(missing, 'error'))[0].code, 'ENOENT');

  const plain = path.join(folder, 'plain');
  fs.writeFileSync(plain, '');
  assert.strictEqual((await once(net.connect(plain), 'error'))[0].code, 'ECONNREFUSED');
  await assert.rejects(listen(net.createServer(), { path: plain }), { code: 'EADDRINUSE' });
  await assert.rejects(listen(net.createServer(), { path: path.join(folder, 'no', 'folder') }),
    { code: 'EACCES' });

  const file = path.join(folder, 'taken');
  const server = net.createServer();
  await listen(server, { path: file });
  await assert.rejects(listen(net.createServer(), { path: file }), { code: 'EADDRINUSE' });
  server.close();
  await once(server, 'close');
}

// The longest that fits into an address.
async function longNames(folder) {
  const longest = path.join(folder, 'x'.repeat(107 - folder.length - 1));
  const server = net.createServer((socket) => socket.end('long'));
  await listen(server, { path: longest });
  assert(fs.statSync(longest).isSocket());
  assert.strictEqual(String(await collect(net.connect(longest))), 'long');
  server.close();
  await once(server, 'close');
}

async function aNamedPipe(fifo) {
  execFileSync('mkfifo', [fifo]);
  const reader = new net.Socket({ fd: fs.openSync(fifo, 'r+'), writable: false });
  const descriptor = fs.openSync(fifo, 'w');
  const writer = new net.Socket({ fd: descriptor, readable: false, writable: true });
  const content = Buffer.alloc(1 << 20, 'fifo');
  let received = 0;
  const all = new Promise((resolve) => {
    reader.on('data', (data) => {
      assert(data.equals(content.subarray(received, received + data.length)));
      if ((received += data.length) === content.length) resolve();
    });
  });
  writer.end(content);
  await Promise.all([all, once(writer, 'close')]);
  reader.destroy();
  await once(reader, 'close');
}
