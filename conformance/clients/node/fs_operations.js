'use strict';
// fs.promises and FileHandle: every kind of operation on files, links and times, and the errors
// with their names.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { run, temporaryFolder } = require('./common.js');

const { promises } = fs;

run(async () => {
  const folder = temporaryFolder();
  await reading(path.join(folder, 'reading'));
  await vectors(path.join(folder, 'vectors'));
  await appendingAndTruncating(path.join(folder, 'appending'));
  await links(folder);
  await timesAndModes(path.join(folder, 'times'));
  await statistics(folder);
  await access(folder);
  await errors(folder);
  await manyAtOnce(folder);
  await callbacksAndSynchronousOnes(folder);
});

async function reading(file) {
  const handle = await promises.open(file, 'w+');
  const { bytesWritten } = await handle.write('0123456789');
  assert.strictEqual(bytesWritten, 10);
  const buffer = Buffer.alloc(4);
  assert.strictEqual((await handle.read(buffer, 0, 4, 3)).bytesRead, 4);
  assert.strictEqual(String(buffer), '3456');
  // At the descriptor's own position, which is at the end.
  assert.strictEqual((await handle.read(buffer, 0, 4, null)).bytesRead, 0);
  await handle.write(Buffer.from('ab'), 0, 2, 4);
  assert.strictEqual(await promises.readFile(file, 'utf8'), '0123ab6789');
  assert.strictEqual((await handle.stat()).size, 10);
  await handle.sync();
  await handle.datasync();
  await handle.close();
  await assert.rejects(handle.stat(), { code: 'EBADF' });
}

async function vectors(file) {
  const handle = await promises.open(file, 'w+');
  const parts = Array.from({ length: 2000 }, (_, index) => Buffer.from(`${index},`));
  const whole = Buffer.concat(parts);
  const { bytesWritten } = await handle.writev(parts, 0);
  assert(bytesWritten > 0 && whole.subarray(0, bytesWritten)
    .equals((await promises.readFile(file))));
  await handle.write(whole, 0, whole.length, 0);
  const buffers = [Buffer.alloc(10), Buffer.alloc(0), Buffer.alloc(100)];
  const { bytesRead } = await handle.readv(buffers, 5);
  assert.strictEqual(bytesRead, 110);
  assert(Buffer.concat(buffers).equals(whole.subarray(5, 115)));
  await handle.close();
}

async function appendingAndTruncating(file) {
  await promises.writeFile(file, 'one');
  await promises.appendFile(file, ' two');
  const handle = await promises.open(file, 'a');
  await handle.appendFile(' three');
  await handle.close();
  assert.strictEqual(await promises.readFile(file, 'utf8'), 'one two three');
  await promises.truncate(file, 3);
  assert.strictEqual(await promises.readFile(file, 'utf8'), 'one');
  await promises.truncate(file, 6);
  assert.strictEqual(await promises.readFile(file, 'utf8'), 'one\0\0\0');
  await assert.rejects(promises.writeFile(file, '', { flag: 'wx' }), { code: 'EEXIST' });
}

async function links(folder) {
  const [file, hard, soft] = ['file', 'hard', 'soft'].map((name) => path.join(folder, name));
  await promises.writeFile(file, 'linked');
  await promises.link(file, hard);
  await promises.symlink('file', soft);
  assert.strictEqual((await promises.stat(hard)).nlink, 2);
  assert.strictEqual(await promises.readlink(soft), 'file');
  assert.strictEqual(await promises.realpath(soft), await promises.realpath(file));
  assert((await promises.lstat(soft)).isSymbolicLink());
  assert(!(await promises.stat(soft)).isSymbolicLink());
  await promises.rename(hard, path.join(folder, 'renamed'));
  await promises.unlink(soft);
  assert.deepStrictEqual((await promises.readdir(folder)).filter((name) => /soft|hard/.test(name)),
    []);
}

async function timesAndModes(file) {
  await promises.writeFile(file, '');
  await promises.utimes(file, 1.5, 1234567890.25);
  let stat = await promises.stat(file);
  assert.deepStrictEqual([stat.atimeMs, stat.mtimeMs], [1500, 1234567890250]);
  const handle = await promises.open(file, 'r+');
  await handle.utimes(new Date(5000), new Date(-7000));
  await handle.chmod(0o640);
  await handle.close();
  stat = await promises.stat(file);
  assert.deepStrictEqual([stat.atimeMs, stat.mtimeMs, stat.mode & 0o777], [5000, -7000, 0o640]);
  await promises.chmod(file, 0o400);
  await promises.chown(file, process.getuid(), process.getgid());
  const link = `${file}-link`;
  await promises.symlink(file, link);
  await promises.lutimes(link, 10, 20);
  assert.strictEqual((await promises.lstat(link)).mtimeMs, 20000);
  assert.strictEqual((await promises.stat(link)).mtimeMs, -7000);
}

async function statistics(folder) {
  const file = path.join(folder, 'statistics');
  await promises.writeFile(file, 'x'.repeat(5000));
  const plain = await promises.stat(file);
  const exact = await promises.stat(file, { bigint: true });
  assert.strictEqual(Number(exact.size), plain.size);
  assert.strictEqual(Number(exact.ino), plain.ino);
  assert.strictEqual(exact.mtimeNs / 1000000n, BigInt(Math.floor(plain.mtimeMs)));
  assert(plain.birthtimeMs <= plain.ctimeMs && plain.isFile() && plain.blksize > 0);
  assert.strictEqual(plain.uid, process.getuid());
  const system = fs.statfs ? await promises.statfs(folder) : undefined;
  assert(system === undefined || system.blocks >= system.bfree);
}

async function access(folder) {
  await promises.access(folder, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  const file = path.join(folder, 'not-to-run');
  await promises.writeFile(file, '', { mode: 0o600 });
  await assert.rejects(promises.access(file, fs.constants.X_OK), { code: 'EACCES' });
}

async function errors(folder) {
  const missing = path.join(folder, 'missing');
  const file = path.join(folder, 'a-file');
  await promises.writeFile(file, '');
  const cases = [
    [() => promises.open(missing), 'ENOENT', 'open'],
    [() => promises.readFile(folder), 'EISDIR', 'read'],
    [() => promises.readdir(file), 'ENOTDIR', 'scandir'],
    [() => promises.rmdir(folder), 'ENOTEMPTY', 'rmdir'],
    [() => promises.mkdir(folder), 'EEXIST', 'mkdir'],
    [() => promises.unlink(missing), 'ENOENT', 'unlink'],
    [() => promises.rename(missing, file), 'ENOENT', 'rename'],
    [() => promises.readlink(file), 'EINVAL', 'readlink'],
    [() => promises.stat(path.join(file, 'below')), 'ENOTDIR', 'stat'],
    [() => promises.stat('x'.repeat(5000)), 'ENAMETOOLONG', 'stat'],
    [() => promises.copyFile(missing, file), 'ENOENT', 'copyfile'],
    [() => promises.mkdtemp(path.join(missing, 'x')), 'ENOENT', 'mkdtemp'],
    [() => promises.opendir(missing), 'ENOENT', 'opendir'],
    [() => promises.symlink('x', file), 'EEXIST', 'symlink'],
    [() => promises.chmod(missing, 0), 'ENOENT', 'chmod'],
    [() => promises.utimes(missing, 1, 1), 'ENOENT', 'utime'],
  ];
  for (const [operation, code, syscall] of cases) {
    await assert.rejects(operation, (error) => {
      assert.deepStrictEqual([error.code, error.syscall], [code, syscall]);
      return true;
    });
  }
}

async function manyAtOnce(folder) {
  await Promise.all(Array.from({ length: 300 }, async (_, index) => {
    const file = path.join(folder, `many-${index}`);
    const handle = await promises.open(file, 'w+');
    for (let round = 0; round < 5; round += 1) await handle.write(`${round}`);
    await handle.close();
    await promises.rename(file, `${file}-renamed`);
    assert.strictEqual(await promises.readFile(`${file}-renamed`, 'utf8'), '01234');
    await promises.unlink(`${file}-renamed`);
  }));
}

async function callbacksAndSynchronousOnes(folder) {
  const file = path.join(folder, 'both');
  const descriptor = fs.openSync(file, 'w+');
  fs.writeSync(descriptor, 'synchronous');
  const answer = await new Promise((resolve, reject) => {
    fs.read(descriptor, Buffer.alloc(20), 0, 20, 0, (error, count, buffer) => {
      if (error) reject(error);
      else resolve(buffer.subarray(0, count));
    });
  });
  assert.strictEqual(String(answer), 'synchronous');
  fs.closeSync(descriptor);
  assert.throws(() => fs.fstatSync(descriptor), { code: 'EBADF' });
  const exists = await new Promise((resolve) => fs.exists(file, resolve));
  assert(exists);
}
