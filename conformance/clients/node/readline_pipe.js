'use strict';
// readline on a pipe: lines arrive whole though chunks end anywhere, in order, and the end of the
// input ends the process; by events, by a loop and by questions.

const assert = require('assert');
const { spawn } = require('child_process');
const readline = require('readline');
const { once } = require('events');
const { outcome, run, until } = require('./common.js');

const LINES = 5000;

const children = {
  events() {
    const lines = readline.createInterface({ input: process.stdin });
    let count = 0;
    lines.on('line', (line) => {
      count += 1;
      console.log(`${count} ${line}`);
    });
    lines.on('close', () => console.log('end'));
  },
  async loop() {
    let count = 0;
    for await (const line of readline.createInterface({ input: process.stdin })) {
      console.log(`${count += 1} ${line}`);
    }
    console.log('end');
  },
  questions() {
    const lines = readline.createInterface({ input: process.stdin, output: process.stdout });
    lines.question('name? ', (name) => {
      lines.question('age? ', (age) => {
        console.log(`${name} is ${age}`);
        lines.close();
      });
    });
  },
};

async function parent() {
  await everyLine('events');
  await everyLine('loop');
  await questions();
  await aPipeline();
}

function start(name) {
  return spawn(process.execPath, [__filename, name], { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function everyLine(name) {
  const child = start(name);
  const end = outcome(child);
  const lines = Array.from({ length: LINES },
    (_, index) => `line ${index} ${'ü'.repeat(index % 50)}`);
  const bytes = Buffer.from(lines.join('\n'));
  for (let at = 0, size = 1; at < bytes.length; at += size, size = size % 997 + 1) {
    if (!child.stdin.write(bytes.subarray(at, at + size))) await once(child.stdin, 'drain');
  }
  child.stdin.end();
  const { code, stdout } = await end;
  assert.strictEqual(code, 0);
  assert.deepStrictEqual(stdout.split('\n'),
    [...lines.map((line, index) => `${index + 1} ${line}`), 'end', '']);
}

async function questions() {
  const child = start('questions');
  let seen = '';
  child.stdout.on('data', (data) => { seen += data; });
  const asks = (what) => until(() => seen.endsWith(what));
  const exit = once(child, 'exit');
  await asks('name? ');
  child.stdin.write('Anna\n');
  await asks('age? ');
  child.stdin.write('7\n');
  await asks('Anna is 7\n');
  child.stdin.end();
  assert.deepStrictEqual(await exit, [0, null]);
}

// Two of them in a row, joined by the shell: standard input that is a pipe of the kernel's.
async function aPipeline() {
  const script = 'for i in 1 2 3; do echo $i; done | "$0" "$1" events | "$0" "$1" loop';
  const { stdout, code } = await outcome(
    spawn('sh', ['-c', script, process.execPath, __filename]));
  assert.deepStrictEqual([code, stdout.split('\n')],
    [0, ['1 1 1', '2 2 2', '3 3 3', '4 end', 'end', '']]);
}

if (process.argv[2]) children[process.argv[2]]();
else run(parent);
