'use strict';
// Says that libuv is loaded and waits until the processes have been inspected. To be required
// first, and called once more when there are more processes to inspect.
const fs = require('fs');

module.exports = function ready() {
  fs.writeSync(1, 'ready\n');
  const byte = Buffer.alloc(1);
  do {
    let count = 0;
    try {
      count = fs.readSync(0, byte, 0, 1, null);
    } catch (error) {
      if (error.code === 'EAGAIN') continue;
      throw error;
    }
    if (count === 0) throw new Error('the end of standard input');
  } while (byte[0] !== 10);
};
