'use strict';
// The values of os and process, compared with what the system itself says.

const assert = require('assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { run, spin, temporaryFolder } = require('./common.js');

run(async () => {
  folders(temporaryFolder());
  names();
  processors();
  memory();
  interfaces();
  user();
  priorities();
  clocks();
  resources();
});

function shell(...command) {
  return execFileSync(command[0], command.slice(1), { encoding: 'utf8' }).trim();
}

function proc(file) {
  return fs.readFileSync(path.join('/proc', file), 'utf8');
}

// Whether two values of something that changes are nearly equal.
function near(value, other, tolerance) {
  return Math.abs(value - other) <= tolerance;
}

function names() {
  assert.strictEqual(os.hostname(), proc('sys/kernel/hostname').trim());
  assert.strictEqual(os.type(), shell('uname', '-s'));
  assert.strictEqual(os.release(), shell('uname', '-r'));
  assert.strictEqual(os.version(), shell('uname', '-v'));
  assert.strictEqual(os.machine(), shell('uname', '-m'));
  assert.strictEqual(os.endianness(), 'LE');
}

function processors() {
  const cpus = os.cpus();
  assert.strictEqual(cpus.length, proc('cpuinfo').match(/^processor\s*:/gm).length);
  for (const { model, speed, times } of cpus) {
    assert(typeof model === 'string' && speed >= 0);
    assert(times.user > 0 && times.idle > 0 && times.sys > 0, JSON.stringify(times));
  }
  const [, user] = proc('stat').match(/^cpu0 (\d+)/m);
  assert(near(cpus[0].times.user, user * 10, 60000), `${cpus[0].times.user} and ${user}0`);
  if (os.availableParallelism) {
    assert.strictEqual(os.availableParallelism(), Number(shell('nproc')));
  }
  const loads = proc('loadavg').split(' ').slice(0, 3).map(Number);
  os.loadavg().forEach((load, index) => assert(near(load, loads[index], 2), `${load}`));
}

function memory() {
  const info = Object.fromEntries(proc('meminfo').split('\n')
    .map((line) => line.split(/:\s+/)).map(([key, value]) => [key, parseInt(value, 10) * 1024]));
  assert.strictEqual(os.totalmem(), info.MemTotal);
  assert(os.freemem() > 0 && os.freemem() <= os.totalmem());
  if (process.constrainedMemory) assert(process.constrainedMemory() >= 0);
}

function interfaces() {
  const { lo } = os.networkInterfaces();
  const local = lo.find(({ family }) => family === 'IPv4');
  assert.deepStrictEqual(local, {
    address: '127.0.0.1', netmask: '255.0.0.0', family: 'IPv4', mac: '00:00:00:00:00:00',
    internal: true, cidr: '127.0.0.1/8',
  });
  const known = proc('net/dev').match(/^\s*[^:\s]+:/gm).map((name) => name.trim().slice(0, -1));
  for (const name of Object.keys(os.networkInterfaces())) assert(known.includes(name), name);
}

function user() {
  const { uid, gid, username, homedir } = os.userInfo();
  assert.deepStrictEqual([uid, gid], [process.getuid(), process.getgid()]);
  assert.strictEqual(username, shell('id', '-un'));
  const entry = shell('getent', 'passwd', String(uid)).split(':');
  assert.strictEqual(homedir, entry[5]);
  assert.strictEqual(os.homedir(), process.env.HOME || entry[5]);
  const before = { ...process.env };
  process.env.HOME = '/somewhere/else';
  assert.strictEqual(os.homedir(), '/somewhere/else');
  process.env.TMPDIR = '/some/where/';
  assert.strictEqual(os.tmpdir(), '/some/where');
  process.env.HOME = before.HOME || entry[5];
  process.env.TMPDIR = before.TMPDIR || '/tmp';
}

function priorities() {
  const before = os.getPriority();
  os.setPriority(before + 3);
  assert.strictEqual(os.getPriority(), before + 3);
  assert.strictEqual(os.getPriority(process.pid), before + 3);
  assert.throws(() => os.getPriority(2 ** 22 + 1),
    ({ code, info }) => code === 'ERR_SYSTEM_ERROR' && info.code === 'ESRCH');
}

function clocks() {
  assert(near(os.uptime(), Number(proc('uptime').split(' ')[0]), 60));
  let last = process.hrtime.bigint();
  for (let count = 0; count < 10000; count += 1) {
    const now = process.hrtime.bigint();
    assert(now >= last, 'the clock went back');
    last = now;
  }
  const [seconds, nanoseconds] = process.hrtime();
  const monotonic = BigInt(seconds) * 1000000000n + BigInt(nanoseconds);
  assert(monotonic >= last && monotonic - last < 10000000000n);
  assert(process.uptime() > 0 && process.uptime() < 100);
}

function resources() {
  const { rss } = process.memoryUsage();
  const resident = proc('self/status').match(/^VmRSS:\s+(\d+)/m)[1] * 1024;
  assert(near(rss, resident, 64 << 20), `${rss} and ${resident}`);
  assert(near(process.memoryUsage.rss(), resident, 64 << 20));
  const kept = Buffer.alloc(200 << 20, 1);
  assert(process.memoryUsage.rss() - rss > 100 << 20);
  assert(kept.length > 0);

  const before = process.cpuUsage();
  // A busy machine gives us little of the time that goes by, but something.
  const spent = () => process.cpuUsage(before).user + process.cpuUsage(before).system;
  for (let count = 0; count < 500 && spent() < 50000; count += 1) spin(10);
  assert(spent() >= 50000, `${spent()} µs of 5 s`);
  const usage = process.resourceUsage();
  assert(usage.userCPUTime > 0 && usage.maxRSS * 1024 >= resident / 2);
  assert(usage.minorPageFault > 0 && usage.voluntaryContextSwitches >= 0);
  assert.strictEqual(process.ppid, Number(proc('self/status').match(/^PPid:\s+(\d+)/m)[1]));
}

function folders(folder) {
  const real = fs.realpathSync(folder);
  process.chdir(folder);
  assert.strictEqual(process.cwd(), real);
  assert.throws(() => process.chdir('missing'), { code: 'ENOENT' });
  const deep = path.join(real, ...Array.from({ length: 20 }, () => 'x'.repeat(100)));
  fs.mkdirSync(deep, { recursive: true });
  process.chdir(deep);
  assert.strictEqual(process.cwd(), deep);
  const gone = path.join(real, 'gone');
  fs.mkdirSync(gone);
  process.chdir(gone);
  fs.rmdirSync(gone);
  assert.throws(() => process.cwd(), { code: 'ENOENT' });
  process.chdir('/');
  const mask = process.umask(0o077);
  fs.writeFileSync(path.join(real, 'masked'), '');
  assert.strictEqual(process.umask(mask), 0o077);
  assert.strictEqual(fs.statSync(path.join(real, 'masked')).mode & 0o777, 0o600);
}
