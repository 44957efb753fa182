import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exchangeRaw } from '../../kit/clients/raw-client.ts';
import { hear, reply, startBareDoor } from '../../kit/gateway/bare-door.ts';
import type { Harness } from '../../kit/gateway/gateway-harness.ts';

const REQUEST = 'GET /druid/v2/datasources HTTP/1.1\r\nHost: a\r\n\r\n';

/** Connects, sends, resets, and says when all of that is done: while the door's own thread waits for it. */
const CLIENT = `
const { connect } = require('node:net');
const { workerData } = require('node:worker_threads');
const { port, request, done, count } = workerData;
const flag = new Int32Array(done);
for (let i = 0; i < count; i++) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.on('connect', () => {
    socket.write(request, () => {
      socket.resetAndDestroy();
      Atomics.add(flag, 0, 1);
      Atomics.notify(flag, 0);
    });
  });
}
`;

let gateway: Harness;
let addresses: string[];

beforeEach(async () => {
  addresses = [];
  gateway = await startBareDoor({
    handle(client) {
      addresses.push(client.head.remoteAddress);
      client.listen(hear(client));
      reply(client, 200, 'ok');
      return true;
    },
  });
});
afterEach(() => gateway.close());

test('a client that is reset before it is accepted asks nothing, and never without an address', async () => {
  const done = new SharedArrayBuffer(4);
  const flag = new Int32Array(done);
  const count = 20;
  const worker = new Worker(CLIENT, {
    eval: true,
    workerData: { port: gateway.port, request: REQUEST, done, count },
  });
  const ended = once(worker, 'exit');
  await once(worker, 'online');
  for (let seen = 0; seen < count; seen = Atomics.load(flag, 0)) Atomics.wait(flag, 0, seen, 20_000);
  await ended;
  expect((await exchangeRaw(gateway.port, REQUEST)).status).toBe(200);
  expect(addresses).not.toContain('');
  expect(addresses.filter((address) => address === '127.0.0.1')).toHaveLength(addresses.length);
});
