'use strict';
// Child processes: standard input and output through pipes, files and further descriptors; exit
// codes, signals and errors; folder, environment and detached ones; and spawnSync, which runs a
// loop of its own.

const assert = require('assert');
const { exec, execFile, execFileSync, spawn, spawnSync } = require('child_process');
const crypto = require('crypto');
const dgram = require('dgram');
const fs = require('fs');
const path = require('path');
const { once } = require('events');
const { promisify } = require('util');
const { collect, never, outcome, run, temporaryFolder } = require('./common.js');

run(async () => {
  const folder = temporaryFolder();
  await largeDataThroughACat();
  await exitCodesAndSignals();
  await exitBeforeClose();
  await programsThatCannotRun(folder);
  await filesAndOtherDescriptors(folder);
  await folderAndEnvironment(folder);
  await endedFromOutside();
  await aDetachedChild();
  await manyAtOnce();
  await withTheirOwnLoop(folder);
});

async function largeDataThroughACat() {
  const content = crypto.randomBytes(8 << 20);
  const child = spawn('cat');
  const end = once(child, 'close');
  child.stdin.end(content);
  assert((await collect(child.stdout)).equals(content));
  assert.deepStrictEqual(await end, [0, null]);
}

async function exitCodesAndSignals() {
  for (const code of [0, 1, 42, 255]) {
    const { code: seen } = await outcome(spawn('sh', ['-c', `exit ${code}`]));
    assert.strictEqual(seen, code);
  }
  for (const name of ['SIGTERM', 'SIGKILL', 'SIGUSR1', 'SIGABRT']) {
    const { code, signal } = await outcome(spawn('sh', ['-c', `kill -${name.slice(3)} $$`]));
    assert.deepStrictEqual([code, signal], [null, name]);
  }
  const sleeper = spawn('sleep', ['100']);
  const end = outcome(sleeper);
  assert(sleeper.kill('SIGINT'));
  assert.strictEqual((await end).signal, 'SIGINT');
  assert(!sleeper.kill(), 'a child that ended can be killed');
  await assert.rejects(promisify(exec)('echo out; echo err >&2; exit 3'),
    { code: 3, stdout: 'out\n', stderr: 'err\n' });
}

async function exitBeforeClose() {
  // Another process keeps the pipe open for a while: the end of the child is reported at once.
  const child = spawn('sh', ['-c', 'sh -c "read line; echo late" <&3 & exit 5'],
    { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  const order = [];
  child.on('close', () => order.push('close'));
  assert.deepStrictEqual(await once(child, 'exit'), [5, null]);
  order.push('exit');
  child.stdio[3].end('go\n');
  assert.strictEqual(String(await collect(child.stdout)), 'late\n');
  if (order.length === 1) await once(child, 'close');
  assert.deepStrictEqual(order, ['exit', 'close']);
}

async function programsThatCannotRun(folder) {
  const missing = spawn('/does/not/exist');
  missing.on('exit', never('the end of a program that never began'));
  const [error] = await once(missing, 'error');
  assert.deepStrictEqual([error.code, error.syscall, missing.pid],
    ['ENOENT', 'spawn /does/not/exist', undefined]);

  const file = path.join(folder, 'not-executable');
  fs.writeFileSync(file, 'true\n', { mode: 0o644 });
  assert.strictEqual((await once(spawn(file), 'error'))[0].code, 'EACCES');
  const noFolder = spawn('true', { cwd: '/does/not/exist' });
  assert.strictEqual((await once(noFolder, 'error'))[0].code, 'ENOENT');
}

async function filesAndOtherDescriptors(folder) {
  const file = path.join(folder, 'output');
  const descriptor = fs.openSync(file, 'w');
  const child = spawn('sh', ['-c', 'echo to file; cat <&4 >&3; echo lost >&2'],
    { stdio: ['ignore', descriptor, 'ignore', 'pipe', 'pipe'] });
  fs.closeSync(descriptor);
  child.stdio[4].end('through four and three');
  const [text] = await Promise.all([collect(child.stdio[3]), once(child, 'close')]);
  assert.strictEqual(String(text), 'through four and three');
  assert.strictEqual(fs.readFileSync(file, 'utf8'), 'to file\n');

  // Nothing that we opened may reach a child; what we inherited ourselves may.
  const before = await outcome(spawn('ls', ['/proc/self/fd']));
  const socket = dgram.createSocket('udp4').bind();
  const opened = await fs.promises.open(file);
  const after = await outcome(spawn('ls', ['/proc/self/fd']));
  assert.strictEqual(after.stdout, before.stdout, 'descriptors leaked into a child');
  socket.close();
  await opened.close();
}

async function folderAndEnvironment(folder) {
  const child = spawn('sh', ['-c', 'pwd; echo $OXUV_HERE; echo "$0"'],
    { cwd: folder, env: { ...process.env, OXUV_HERE: 'here' }, argv0: 'sh' });
  assert.strictEqual((await outcome(child)).stdout, `${fs.realpathSync(folder)}\nhere\nsh\n`);
}

async function endedFromOutside() {
  await assert.rejects(promisify(execFile)('sleep', ['100'], { timeout: 20 }),
    { killed: true, signal: 'SIGTERM' });
  await assert.rejects(promisify(execFile)('yes', { maxBuffer: 10000 }),
    { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' });
  const controller = new AbortController();
  const child = spawn('sleep', ['100'], { signal: controller.signal });
  const ended = Promise.all([
    new Promise((resolve) => child.on('exit', (...values) => resolve(values))),
    new Promise((resolve) => child.on('error', resolve)),
  ]);
  controller.abort();
  const [[, signal], error] = await ended;
  assert.deepStrictEqual([signal, error.name], ['SIGTERM', 'AbortError']);
}

async function aDetachedChild() {
  const child = spawn('sh', ['-c', 'read line; cut -d" " -f6 /proc/$$/stat'],
    { detached: true });
  child.stdin.end('\n');
  const { stdout } = await outcome(child);
  assert.strictEqual(Number(stdout), child.pid, 'a detached child leads no session');
  // An unreferenced child does not keep us: the watchdog would fail.
  const sleeper = spawn('sleep', ['100'], { detached: true, stdio: 'ignore' });
  sleeper.unref();
  process.on('exit', () => sleeper.kill('SIGKILL'));
}

async function manyAtOnce() {
  const ends = await Promise.all(Array.from({ length: 60 }, (_, index) =>
    outcome(spawn('sh', ['-c', `echo ${index}; exit ${index}`]))));
  ends.forEach(({ code, stdout }, index) => {
    assert.deepStrictEqual([code, stdout], [index, `${index}\n`]);
  });
}

async function withTheirOwnLoop(folder) {
  const content = crypto.randomBytes(1 << 20);
  assert(execFileSync('cat', { input: content, maxBuffer: 2 << 20 }).equals(content));
  assert.strictEqual(spawnSync('sh', ['-c', 'exit 9']).status, 9);
  assert.strictEqual(spawnSync('/does/not/exist').error.code, 'ENOENT');
  const slow = spawnSync('sleep', ['100'], { timeout: 20 });
  assert.deepStrictEqual([slow.error.code, slow.signal], ['ETIMEDOUT', 'SIGTERM']);
  const loud = spawnSync('yes', { maxBuffer: 5000 });
  assert.strictEqual(loud.error.code, 'ENOBUFS');
  const own = spawnSync('pwd', { cwd: folder, encoding: 'utf8' });
  assert.strictEqual(own.stdout.trim(), fs.realpathSync(folder));
}
