'use strict';
// TLS over the loop's sockets: with a certificate made by the openssl command and with a
// pre-shared key, large data both ways, many connections, https, and refusal of a stranger.

const assert = require('assert');
const { execFileSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const path = require('path');
const tls = require('tls');
const { once } = require('events');
const { collect, listen, never, run, temporaryFolder } = require('./common.js');

run(async () => {
  const { key, cert } = makeCertificate();
  await largeDataBothWays({ key, cert }, { ca: cert, servername: 'localhost' });
  await largeDataBothWays({ key, cert, maxVersion: 'TLSv1.2' },
    { ca: cert, servername: 'localhost' });
  await preSharedKey();
  await manyConnections({ key, cert }, { ca: cert, servername: 'localhost' });
  await aStrangerIsRefused({ key, cert });
  await overHttps({ key, cert }, { ca: cert, servername: 'localhost' });
});

function makeCertificate() {
  const folder = temporaryFolder();
  const [keyFile, certFile] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', keyFile, '-out', certFile],
  { stdio: ['ignore', 'ignore', 'pipe'] });
  return { key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile) };
}

async function largeDataBothWays(serverOptions, clientOptions) {
  const content = crypto.randomBytes(4 << 20);
  const server = tls.createServer(serverOptions, (socket) => socket.pipe(socket));
  const { port } = await listen(server);
  const socket = tls.connect({ port, host: '127.0.0.1', ...clientOptions });
  await once(socket, 'secureConnect');
  assert(socket.authorized || clientOptions.pskCallback);
  socket.end(content);
  assert((await collect(socket)).equals(content), 'the data came back changed');
  server.close();
  await once(server, 'close');
}

async function preSharedKey() {
  const psk = crypto.randomBytes(32);
  const common = { ciphers: 'PSK+AES256', maxVersion: 'TLSv1.2' };
  await largeDataBothWays(
    { ...common, pskCallback: (socket, identity) => (identity === 'me' ? psk : null) },
    { ...common, pskCallback: () => ({ psk, identity: 'me' }), checkServerIdentity: () => {} });
}

async function manyConnections(serverOptions, clientOptions) {
  const server = tls.createServer(serverOptions, (socket) => socket.end('hello'));
  const { port } = await listen(server);
  await Promise.all(Array.from({ length: 100 }, async () => {
    const socket = tls.connect({ port, host: '127.0.0.1', ...clientOptions });
    assert.strictEqual(String(await collect(socket)), 'hello');
  }));
  server.close();
  await once(server, 'close');
}

async function aStrangerIsRefused(serverOptions) {
  const server = tls.createServer(serverOptions);
  server.on('secureConnection', (socket) => socket.on('error', () => {}));
  const { port } = await listen(server);
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost' });
  socket.on('secureConnect', never('a connection to a stranger'));
  const [error] = await once(socket, 'error');
  assert.strictEqual(error.code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
  server.close();
  await once(server, 'close');
}

async function overHttps(serverOptions, clientOptions) {
  const server = https.createServer(serverOptions, (request, response) => request.pipe(response));
  const { port } = await listen(server);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 4, ...clientOptions });
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    const request = https.request({ host: '127.0.0.1', port, agent, method: 'POST' });
    request.end(`body ${index}`);
    const [response] = await once(request, 'response');
    assert.strictEqual(String(await collect(response)), `body ${index}`);
  }));
  agent.destroy();
  server.close();
  await once(server, 'close');
}
