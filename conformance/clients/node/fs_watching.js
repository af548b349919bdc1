'use strict';
// fs.watch: of a folder and of a file, what is made, changed, renamed and removed is reported; many
// watchers at once, closing within a callback, and watching with promises.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { once } = require('events');
const { called, never, run, temporaryFolder, until } = require('./common.js');

run(async () => {
  const folder = temporaryFolder();
  await aFolder(path.join(folder, 'folder'));
  await aFile(path.join(folder, 'file'));
  await twoWatchersOfOneFolder(path.join(folder, 'two'));
  await manyFolders(folder);
  await closedInTheCallback(path.join(folder, 'closed'));
  await withPromises(path.join(folder, 'promises'));
  await whatCannotBeWatched(path.join(folder, 'missing'));
});

function watch(where) {
  const seen = [];
  const watcher = fs.watch(where, (event, name) => seen.push(`${event} ${name}`));
  const saw = (what) => until(() => seen.includes(what));
  return { watcher, seen, saw };
}

async function aFolder(folder) {
  fs.mkdirSync(folder);
  const { watcher, seen, saw } = watch(folder);
  const file = path.join(folder, 'one');
  fs.writeFileSync(file, 'text');
  await saw('rename one');
  await saw('change one');
  seen.length = 0;
  fs.appendFileSync(file, 'more');
  await saw('change one');
  fs.renameSync(file, path.join(folder, 'two'));
  await saw('rename one');
  await saw('rename two');
  seen.length = 0;
  fs.chmodSync(path.join(folder, 'two'), 0o600);
  await saw('change two');
  fs.unlinkSync(path.join(folder, 'two'));
  await saw('rename two');
  fs.mkdirSync(path.join(folder, 'inner'));
  await saw('rename inner');
  seen.length = 0;
  fs.writeFileSync(path.join(folder, 'inner', 'deep'), '');
  fs.writeFileSync(path.join(folder, 'last'), '');
  await saw('rename last');
  assert(!seen.some((what) => what.endsWith('deep')), 'what is below was reported unasked');
  watcher.close();
  await once(watcher, 'close');
}

async function aFile(file) {
  fs.writeFileSync(file, '');
  const { watcher, saw } = watch(file);
  fs.appendFileSync(file, 'text');
  await saw('change file');
  fs.unlinkSync(file);
  await saw('rename file');
  watcher.close();
}

async function twoWatchersOfOneFolder(folder) {
  fs.mkdirSync(folder);
  const [first, second] = [watch(folder), watch(folder)];
  fs.writeFileSync(path.join(folder, 'both'), '');
  await Promise.all([first.saw('rename both'), second.saw('rename both')]);
  first.watcher.close();
  first.seen.length = 0;
  fs.writeFileSync(path.join(folder, 'one'), '');
  await second.saw('rename one');
  assert.deepStrictEqual(first.seen, [], 'a closed watcher was called');
  second.watcher.close();
}

async function manyFolders(folder) {
  const folders = Array.from({ length: 100 }, (_, index) => path.join(folder, `many${index}`));
  const watchers = folders.map((each) => {
    fs.mkdirSync(each);
    return watch(each);
  });
  await Promise.all(folders.map((each) => fs.promises.writeFile(path.join(each, 'file'), '')));
  await Promise.all(watchers.map(({ saw }) => saw('rename file')));
  for (const { watcher } of watchers) watcher.close();
}

async function closedInTheCallback(folder) {
  fs.mkdirSync(folder);
  await new Promise((resolve) => {
    const watcher = fs.watch(folder, called(() => {
      watcher.close();
      watcher.on('change', never('an event after close'));
      watcher.once('close', resolve);
    }));
    // Several events at once: none of them but the first may arrive.
    for (let index = 0; index < 10; index += 1) {
      fs.writeFileSync(path.join(folder, String(index)), '');
    }
  });
}

async function withPromises(folder) {
  fs.mkdirSync(folder);
  const controller = new AbortController();
  const events = fs.promises.watch(folder, { signal: controller.signal });
  const first = events.next();
  fs.mkdirSync(path.join(folder, 'made'));
  assert.deepStrictEqual(await first,
    { done: false, value: { eventType: 'rename', filename: 'made' } });
  const next = events.next();
  controller.abort();
  await assert.rejects(next, { name: 'AbortError' });
}

async function whatCannotBeWatched(missing) {
  assert.throws(() => fs.watch(missing), { code: 'ENOENT', syscall: 'watch', path: missing });
}
