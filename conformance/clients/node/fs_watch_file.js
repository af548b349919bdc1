'use strict';
// fs.watchFile queries a file again and again: it reports changes, a file that goes and one that
// comes; unwatchFile ends it, and an unreferenced one does not keep the process.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { never, run, temporaryFolder } = require('./common.js');

run(async () => {
  const folder = temporaryFolder();
  await changes(path.join(folder, 'file'));
  await aFileThatComes(path.join(folder, 'later'));
  await twoListeners(path.join(folder, 'two'));
  fs.watchFile(path.join(folder, 'for-ever'), { persistent: false }, () => {});
});

// The next report of a watched file for which `condition` is true.
function report(file, condition) {
  return new Promise((resolve) => {
    fs.watchFile(file, { interval: 5 }, function listener(now, before) {
      if (!condition(now, before)) return;
      fs.unwatchFile(file, listener);
      resolve({ now, before });
    });
  });
}

async function changes(file) {
  fs.writeFileSync(file, 'text');
  const grown = report(file, (now) => now.size === 9);
  // The first query is under way: what happens before it cannot be reported.
  await afterTheFirstLook(file);
  fs.appendFileSync(file, ' more');
  const { now, before } = await grown;
  assert.deepStrictEqual([before.size, now.size], [4, 9]);
  assert(now.isFile());

  const gone = report(file, (later) => later.nlink === 0);
  await afterTheFirstLook(file);
  fs.unlinkSync(file);
  assert.strictEqual((await gone).now.mtimeMs, 0);
}

async function aFileThatComes(file) {
  const come = report(file, (now) => now.nlink === 1);
  // Of a missing file one report comes at once.
  await new Promise((resolve) => fs.watchFile(file, { interval: 5 }, resolve));
  fs.writeFileSync(file, '');
  await come;
  fs.unwatchFile(file);
}

async function twoListeners(file) {
  fs.writeFileSync(file, 'text');
  const first = report(file, () => true);
  const ended = never('a report to a listener that was removed');
  fs.watchFile(file, { interval: 5 }, ended);
  fs.unwatchFile(file, ended);
  await afterTheFirstLook(file);
  fs.utimesSync(file, 1, 1);
  assert.strictEqual((await first).now.mtimeMs, 1000);
}

// A second watcher in front of which nothing is: what it reports proves that the first has
// queried, since both query in the order in which they were started.
async function afterTheFirstLook(file) {
  const missing = `${file}.missing`;
  await new Promise((resolve) => fs.watchFile(missing, { interval: 5 }, resolve));
  fs.unwatchFile(missing);
  await fs.promises.stat(file);
  // Queries are on the pool's threads and may overtake each other there.
  await new Promise((resolve) => setTimeout(resolve, 300));
}
