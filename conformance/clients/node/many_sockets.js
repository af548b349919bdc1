'use strict';
// 10,000 concurrent sockets on one thread: all are open at once, each echoes, and no thread
// takes part but the one of the loop. The clients are in a second process, likewise on one
// thread, so that 10,000 descriptors and a few are enough for each.

const assert = require('assert');
const { fork, spawnSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const { once } = require('events');
const { called, listen, run, threads } = require('./common.js');

const SOCKETS = 10000;
const DESCRIPTORS = SOCKETS + 200;
const AT_ONCE = 250;
const ROUNDS = 1;

run(async () => {
  if (process.argv[2] === 'clients') return clients(process.argv[3], Number(process.argv[4]));
  if (descriptorLimit() < DESCRIPTORS) return withMoreDescriptors();

  // An address of its own for each run: ports of an earlier run may still be in TIME_WAIT.
  const host = `127.${1 + process.pid % 250}.${Math.floor(process.pid / 250) % 250}.1`;
  const server = net.createServer();
  server.on('connection', called((socket) => {
    socket.write('welcome');
    socket.pipe(socket);
  }, SOCKETS));
  const { port } = await listen(server, { port: 0, host, backlog: AT_ONCE });
  const before = threads();

  const child = fork(__filename, ['clients', host, port]);
  const [message] = await once(child, 'message');
  assert.strictEqual(message, 'all open');
  assert.strictEqual(await connections(server), SOCKETS);
  assert(fs.readdirSync('/proc/self/fd').length > SOCKETS, 'not all sockets are open');
  child.send('go on');

  assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
  assert.deepStrictEqual(threads(), before, 'a thread took part');
  server.close();
  await once(server, 'close');
});

function connections(server) {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(count)));
}

async function clients(host, port) {
  const before = threads();
  const sockets = [];
  while (sockets.length < SOCKETS) {
    const some = Array.from({ length: AT_ONCE }, () => net.connect(port, host));
    // Until the server has seen them: the kernel would make some wait for a second when its
    // queue is full.
    await Promise.all(some.map((socket) => once(socket, 'data')));
    sockets.push(...some);
  }
  process.send('all open');
  await once(process, 'message');

  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(sockets.map(async (socket, index) => {
      const message = `${round} ${index}`;
      socket.write(message);
      assert.strictEqual(String((await once(socket, 'data'))[0]), message);
    }));
  }
  assert.deepStrictEqual(threads(), before, 'a thread took part');
  await Promise.all(sockets.map((socket) => {
    socket.end();
    return once(socket, 'close');
  }));
}

function descriptorLimit() {
  const limits = fs.readFileSync('/proc/self/limits', 'utf8');
  return Number(limits.match(/^Max open files +(\d+)/m)[1]);
}

function withMoreDescriptors() {
  assert.notStrictEqual(process.argv[2], 'again', 'the limit of descriptors cannot be raised');
  const { status } = spawnSync('sh',
    ['-c', `ulimit -n ${DESCRIPTORS} && exec "$@"`, 'sh', process.execPath, __filename, 'again'],
    { stdio: 'inherit' });
  assert.strictEqual(status, 0, `${DESCRIPTORS} descriptors are needed`);
}
