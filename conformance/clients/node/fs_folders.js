'use strict';
// Folders: opendir reads them piece by piece, readdir as a whole, with types; folders made and
// removed with all that is in them; mkdtemp; copies of files and of whole trees.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { run, temporaryFolder } = require('./common.js');

const { promises } = fs;
const { COPYFILE_EXCL, COPYFILE_FICLONE, COPYFILE_FICLONE_FORCE } = fs.constants;

run(async () => {
  const folder = temporaryFolder();
  await opening(path.join(folder, 'opened'));
  await types(path.join(folder, 'types'));
  await deepFolders(path.join(folder, 'deep'));
  await temporaryOnes(folder);
  await copies(folder);
  await copiesOfTrees(folder);
});

async function opening(folder) {
  const names = Array.from({ length: 1000 }, (_, index) => `file${index}`).sort();
  await promises.mkdir(folder);
  await Promise.all(names.map((name) => promises.writeFile(path.join(folder, name), '')));
  for (const bufferSize of [1, 32, 5000]) {
    const seen = [];
    for await (const entry of await promises.opendir(folder, { bufferSize })) {
      assert(entry.isFile());
      seen.push(entry.name);
    }
    assert.deepStrictEqual(seen.sort(), names);
  }
  const opened = fs.opendirSync(folder);
  assert(names.includes(opened.readSync().name));
  assert(names.includes((await opened.read()).name));
  await opened.close();
  await assert.rejects(async () => opened.read(), { code: 'ERR_DIR_CLOSED' });
  assert.deepStrictEqual((await promises.readdir(folder)).sort(), names);
}

async function types(folder) {
  await promises.mkdir(path.join(folder, 'folder'), { recursive: true });
  await promises.writeFile(path.join(folder, 'file'), '');
  await promises.symlink('file', path.join(folder, 'link'));
  require('child_process').execFileSync('mkfifo', [path.join(folder, 'fifo')]);
  const entries = await promises.readdir(folder, { withFileTypes: true });
  const found = Object.fromEntries(entries.map((entry) => [entry.name,
    [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink(), entry.isFIFO()].indexOf(true)]));
  assert.deepStrictEqual(found, { file: 0, folder: 1, link: 2, fifo: 3 });
  // Names that are not UTF-8.
  const odd = Buffer.concat([Buffer.from(folder), Buffer.from([0x2f, 0xff, 0xfe])]);
  await promises.writeFile(odd, '');
  const raw = await promises.readdir(folder, { encoding: 'buffer' });
  assert(raw.some((name) => name.equals(Buffer.from([0xff, 0xfe]))));
}

async function deepFolders(folder) {
  const deepest = path.join(folder, ...Array.from({ length: 30 }, (_, index) => `level${index}`));
  assert.strictEqual(await promises.mkdir(deepest, { recursive: true }), folder);
  assert.strictEqual(await promises.mkdir(deepest, { recursive: true }), undefined);
  for (let at = deepest; at.startsWith(folder); at = path.dirname(at)) {
    await promises.writeFile(path.join(at, 'file'), at);
  }
  await assert.rejects(promises.rm(folder), { code: 'ERR_FS_EISDIR' });
  await promises.rm(folder, { recursive: true });
  assert(!fs.existsSync(folder));
  await assert.rejects(promises.rm(folder), { code: 'ENOENT' });
  await promises.rm(folder, { force: true });
}

async function temporaryOnes(folder) {
  const made = await Promise.all(Array.from({ length: 100 },
    () => promises.mkdtemp(path.join(folder, 'temporary-'))));
  assert.strictEqual(new Set(made).size, 100);
  for (const each of made) {
    assert(each.startsWith(path.join(folder, 'temporary-')));
    const stat = await promises.stat(each);
    assert(stat.isDirectory() && (stat.mode & 0o077) === 0);
    await promises.rmdir(each);
  }
}

async function copies(folder) {
  const [from, to] = ['from', 'to'].map((name) => path.join(folder, name));
  const content = Buffer.alloc(3 << 20, 'copy me');
  await promises.writeFile(from, content, { mode: 0o751 });
  await promises.chmod(from, 0o751);
  await promises.copyFile(from, to);
  assert((await promises.readFile(to)).equals(content));
  assert.strictEqual((await promises.stat(to)).mode & 0o777, 0o751);
  await assert.rejects(promises.copyFile(from, to, COPYFILE_EXCL), { code: 'EEXIST' });
  // What is longer must not shine through.
  await promises.writeFile(from, 'short');
  await promises.copyFile(from, to, COPYFILE_FICLONE);
  assert.strictEqual(await promises.readFile(to, 'utf8'), 'short');
  try {
    await promises.copyFile(from, `${to}-cloned`, COPYFILE_FICLONE_FORCE);
    assert.strictEqual(await promises.readFile(`${to}-cloned`, 'utf8'), 'short');
  } catch (error) {
    assert(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'ENOTTY', 'EINVAL'].includes(error.code),
      `${error}`);
  }
  fs.copyFileSync('/proc/self/status', path.join(folder, 'status'));
}

async function copiesOfTrees(folder) {
  const [from, to] = ['tree', 'copied'].map((name) => path.join(folder, name));
  await promises.mkdir(path.join(from, 'inner', 'empty'), { recursive: true });
  await promises.writeFile(path.join(from, 'inner', 'file'), 'text');
  await promises.symlink('inner', path.join(from, 'link'));
  await promises.cp(from, to, { recursive: true, verbatimSymlinks: true });
  assert.strictEqual(await promises.readFile(path.join(to, 'link', 'file'), 'utf8'), 'text');
  assert((await promises.stat(path.join(to, 'inner', 'empty'))).isDirectory());
  assert.strictEqual(await promises.readlink(path.join(to, 'link')), 'inner');
}
