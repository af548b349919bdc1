'use strict';
// Under fakeroot an ordinary user is root, and may start children of any other: if the child calls
// fakeroot's functions, since the kernel would refuse it.

const assert = require('assert');
const { once } = require('events');
const { spawn } = require('child_process');
const { collect, run } = require('./common.js');

run(async () => {
  assert.strictEqual(process.getuid(), 0);
  // Node gives its children an environment that was made before: they are root to themselves.
  for (const options of [{}, { uid: 1234 }, { gid: 2345 }, { uid: 1234, gid: 2345 },
    { uid: 1234, cwd: '/', detached: true }]) {
    assert.strictEqual(await identity(options), '0 0');
  }
  assert.strictEqual(process.getuid(), 0);
  const child = spawn('/nonexistent/program', [], { uid: 1234 });
  const [error] = await once(child, 'error');
  assert.strictEqual(error.code, 'ENOENT');
});

async function identity(options) {
  const child = spawn('/bin/sh', ['-c', 'echo $(id -u) $(id -g)'],
    { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  const end = once(child, 'close');
  const output = await collect(child.stdout);
  assert.deepStrictEqual(await end, [0, null]);
  return output.toString().trim();
}
