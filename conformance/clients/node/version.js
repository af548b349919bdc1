'use strict';
const assert = require('assert');
require('./ready')();

assert.match(process.version, /^v18\./);
assert.strictEqual(process.versions.uv, '1.53.0');
console.log(`node ${process.version} on libuv ${process.versions.uv}`);
