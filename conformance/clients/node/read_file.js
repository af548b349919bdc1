'use strict';
// fs.readFile does its work on the pool; its callback comes back on the loop's thread, never
// within the call. A cached file may be answered without a thread; the runner turns that off
// with OXUV_FS_INLINE=0 where the thread itself is to be seen.

const assert = require('assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { called, run, temporaryFolder, threads } = require('./common.js');

run(async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'file');
  fs.writeFileSync(file, 'content');

  const before = threads();
  await theCallbackComesLater(file);
  const started = threads().filter((id) => !before.includes(id));
  if (process.env.OXUV_FS_INLINE === '0') {
    assert(started.length >= 1, 'reading a file started no thread');
  }
  assert(started.length <= 4, `reading a file started ${started.length} threads`);

  await errorsComeLaterToo(path.join(folder, 'missing'));
  await aReadThatBlocksDoesNotBlockTheLoop(path.join(folder, 'fifo'));
  await aLargeFileLeavesTheLoopTurning(path.join(folder, 'large'));
  await manyAtOnce(folder);
});

function theCallbackComesLater(file) {
  return new Promise((resolve, reject) => {
    const order = [];
    fs.readFile(file, 'utf8', called((error, text) => {
      order.push('callback');
      try {
        assert.ifError(error);
        assert.strictEqual(text, 'content');
        assert.deepStrictEqual(order, ['returned', 'tick', 'promise', 'callback']);
        resolve();
      } catch (failure) {
        reject(failure);
      }
    }));
    order.push('returned');
    process.nextTick(() => {
      order.push('tick');
      Promise.resolve().then(() => order.push('promise'));
    });
  });
}

async function errorsComeLaterToo(missing) {
  let returned = false;
  const error = await new Promise((resolve) => {
    fs.readFile(missing, called((error) => {
      assert(returned, 'the callback came within the call');
      resolve(error);
    }));
    returned = true;
  });
  assert.strictEqual(error.code, 'ENOENT');
  assert.strictEqual(error.errno, -2);
  assert.strictEqual(error.syscall, 'open');
  assert.strictEqual(error.path, missing);
}

async function aReadThatBlocksDoesNotBlockTheLoop(fifo) {
  execFileSync('mkfifo', [fifo]);
  const reading = fs.promises.readFile(fifo, 'utf8');
  let answered = false;
  reading.then(() => { answered = true; });
  for (let turn = 0; turn < 20; turn += 1) await new Promise((next) => setTimeout(next, 1));
  assert(!answered, 'a pipe without data was read');
  await fs.promises.writeFile(fifo, 'at last');
  assert.strictEqual(await reading, 'at last');
}

async function aLargeFileLeavesTheLoopTurning(file) {
  const content = Buffer.alloc(16 * 1024 * 1024, 'oxuv');
  fs.writeFileSync(file, content);
  let turns = 0;
  let reading = true;
  (function turn() {
    turns += 1;
    if (reading) setImmediate(turn);
  })();
  const answer = await fs.promises.readFile(file);
  reading = false;
  assert(answer.equals(content), 'the file came back changed');
  assert(turns > 2, `the loop turned ${turns} times during a read of 16 MiB`);
}

async function manyAtOnce(folder) {
  const names = Array.from({ length: 500 }, (_, index) => path.join(folder, `many${index}`));
  await Promise.all(names.map((name) => fs.promises.writeFile(name, name)));
  const texts = await Promise.all(names.map((name) => fs.promises.readFile(name, 'utf8')));
  assert.deepStrictEqual(texts, names);
}
