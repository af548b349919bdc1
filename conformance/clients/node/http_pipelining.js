'use strict';
// Many requests on one connection without waiting for answers: they are answered in order,
// though each takes another time.

const assert = require('assert');
const http = require('http');
const net = require('net');
const { once } = require('events');
const { called, collect, listen, run } = require('./common.js');

const REQUESTS = 2000;

run(async () => {
  const server = http.createServer(called((request, response) => {
    const answer = () => response.end(`${request.url}\n`);
    switch (Number(request.url.slice(1)) % 3) {
      case 0: answer(); break;
      case 1: setImmediate(answer); break;
      default: setTimeout(answer, 2);
    }
  }, REQUESTS));
  server.maxRequestsPerSocket = 0;
  const { port } = await listen(server);

  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  for (let index = 0; index < REQUESTS; index += 1) {
    const last = index === REQUESTS - 1 ? 'Connection: close\r\n' : '';
    text += `GET /${index} HTTP/1.1\r\nHost: localhost\r\n${last}\r\n`;
  }
  // In pieces that do not end where a request ends.
  for (let at = 0; at < text.length; at += 1000) socket.write(text.slice(at, at + 1000));

  const answers = String(await collect(socket)).match(/^\/\d+$/gm);
  assert.deepStrictEqual(answers, Array.from({ length: REQUESTS }, (_, index) => `/${index}`));
  server.close();
});
