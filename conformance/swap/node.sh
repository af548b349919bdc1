# A web server answers with a file, and with what a child process prints.
cat > server.js <<'END'
const http = require('http'), fs = require('fs'), { execFile } = require('child_process');
const assert = require('assert');
assert.strictEqual(process.versions.uv, process.argv[2]);
const server = http.createServer((request, response) => {
  if (request.url === '/file') return fs.createReadStream(__filename).pipe(response);
  execFile('echo', ['from a child'], (error, out) => response.end(error ? String(error) : out));
});
const get = (path) => new Promise((resolve, reject) => http.get(
    { port: server.address().port, host: '127.0.0.1', path, agent: false }, (response) => {
      let text = '';
      response.on('data', (part) => { text += part; }).on('end', () => resolve(text));
    }).on('error', reject));
server.listen(0, '127.0.0.1', async () => {
  assert.strictEqual(await get('/file'), fs.readFileSync(__filename, 'utf8'));
  const texts = await Promise.all(Array.from({ length: 50 }, () => get('/child')));
  assert(texts.every((text) => text === 'from a child\n'));
  server.close(() => console.log(`uv ${process.versions.uv}: 51 answers`));
});
END
nodejs server.js "$1"
