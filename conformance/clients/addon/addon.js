'use strict';
// The addon's handles and requests run among those of Node on one loop.
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const addon = require(path.join(process.env.OXUV_MADE, 'addon.node'));
require('../node/ready')();

fs.writeFileSync('file', 'x'.repeat(1234));
const seen = {};
const version = addon.start('file', (what, number) => {
  assert.notStrictEqual(seen[what], number);
  seen[what] = number;
});
assert.strictEqual(version, process.versions.uv);
// Node's own, meanwhile; the addon's callbacks run promises and ticks like any.
let timers = 0;
const timer = setInterval(() => { if (++timers === 20) clearInterval(timer); }, 1);
fs.promises.readFile('file').then((data) => { assert.strictEqual(data.length, 1234); });

process.on('exit', (code) => {
  if (code !== 0) return;
  assert.deepStrictEqual(seen, {
    ...seen, tick: 3, async: 1, work: 500500, stat: 1234, read: 31, closed: 0,
  });
  assert.strictEqual(timers, 20);
  console.log('timers, async, the pool, files and sockets of an addon');
});
