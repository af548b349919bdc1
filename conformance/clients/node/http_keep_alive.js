'use strict';
// An http server with clients that keep their connections: many requests over few sockets, and
// an idle connection is closed in the end.

const assert = require('assert');
const http = require('http');
const { once } = require('events');
const { collect, listen, run } = require('./common.js');

const SOCKETS = 25;
const REQUESTS = 3000;

run(async () => {
  let connections = 0;
  const server = http.createServer(answer);
  server.on('connection', () => { connections += 1; });
  const { port } = await listen(server);
  const agent = new http.Agent({ keepAlive: true, maxSockets: SOCKETS });

  await Promise.all(Array.from({ length: REQUESTS }, async (_, index) => {
    const body = `request ${index}`;
    const answer = await ask({ port, agent, method: 'POST', path: `/${index}` }, body);
    assert.strictEqual(answer, `/${index} ${body}`);
  }));
  assert(connections <= SOCKETS, `${connections} connections for ${SOCKETS} sockets`);

  // Chunked bodies in both directions.
  const large = 'x'.repeat(1 << 20);
  assert.strictEqual(await ask({ port, agent, method: 'PUT', path: '/large' }, large),
    `/large ${large}`);
  agent.destroy();

  await anIdleConnectionIsClosed(server, port);
  const closed = once(server, 'close');
  server.close();
  await closed;
});

async function answer(request, response) {
  const body = await collect(request);
  response.write(`${request.url} `);
  response.end(body);
}

async function ask(options, body) {
  const request = http.request({ host: '127.0.0.1', ...options });
  request.end(body);
  const [response] = await once(request, 'response');
  assert.strictEqual(response.statusCode, 200);
  return String(await collect(response));
}

async function anIdleConnectionIsClosed(server, port) {
  server.keepAliveTimeout = 50;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  // Client and server may both notice first that the time is up: either way the socket ends.
  const request = http.request({ host: '127.0.0.1', port, agent, path: '/idle' });
  request.end();
  const [response] = await once(request, 'response');
  const closed = once(response.socket, 'close');
  await collect(response);
  await closed;
  agent.destroy();
}
