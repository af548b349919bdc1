'use strict';
// process.title: what is set is read back, and is what the system shows of the process.

const assert = require('assert');
const fs = require('fs');
const { spawnSync } = require('child_process');
const { once } = require('events');
const { Worker } = require('worker_threads');
const { run } = require('./common.js');

run(async () => {
  assert(shown().join(' ').startsWith(process.title), process.title);
  const room = fs.readFileSync('/proc/self/cmdline').length - 1;

  for (const title of ['oxuv', 'a somewhat longer title', 'short', 'ümläut']) {
    process.title = title;
    assert.strictEqual(process.title, title.slice(0, room));
    assert.strictEqual(shown()[0], process.title);
    const name = fs.readFileSync('/proc/self/comm', 'utf8').trim();
    assert(title.startsWith(name.replace(/\ufffd/g, '')), `the thread is called ${name}`);
  }

  // A title has the room of the first command line, no more.
  process.title = 'x'.repeat(10000);
  const title = process.title;
  assert.strictEqual(title, 'x'.repeat(room));
  assert.strictEqual(shown()[0], title);
  // The environment lies behind it and stays what it was.
  assert.strictEqual(String(spawnSync('sh', ['-c', 'echo $PATH']).stdout).trim(),
    process.env.PATH);

  const worker = new Worker('require("worker_threads").parentPort.postMessage(process.title)',
    { eval: true });
  assert.strictEqual((await once(worker, 'message'))[0], title);
});

function shown() {
  return fs.readFileSync('/proc/self/cmdline', 'utf8').split('\0').filter((part) => part);
}
