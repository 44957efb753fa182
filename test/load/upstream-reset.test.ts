import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../faults/scene.ts';
import { connectRaw } from '../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, startUpstream } from '../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeAll(async () => {
  broker = await startUpstream(() => {});
  gateway = await startHarness({ retries: { share: 1, minPerSecond: 1_000 } });
  gateway.cluster.brokers(broker.origin);
  gateway.cluster.lead('coordinator', broker.origin);
});
afterAll(async () => {
  await gateway.close();
  await broker.close();
});

const rows = JSON.stringify(Array.from({ length: 400 }, (_, n) => ({ n, filling: 'x'.repeat(n % 50) })));
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const ANSWERS = {
  'of known length': Buffer.from(`${HEAD}Content-Length: ${rows.length}\r\n\r\n${rows}`),
  chunked: Buffer.from(
    `${HEAD}Trailer: X-Druid-Response-Complete\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `${(rows.length / 2 + 0.5) | 0}`.replace(/\d+/, (half) => Number(half).toString(16)) +
      `\r\n${rows.slice(0, (rows.length / 2 + 0.5) | 0)}\r\n` +
      `${(rows.length - ((rows.length / 2 + 0.5) | 0)).toString(16)}\r\n${rows.slice((rows.length / 2 + 0.5) | 0)}\r\n` +
      '0\r\nX-Druid-Response-Complete: true\r\n\r\n',
  ),
};
const TARGETS = {
  query: 'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}',
  'read of a master': 'GET /druid/coordinator/v1/datasources HTTP/1.1\r\nHost: a\r\n\r\n',
};

test.each(
  Object.entries(ANSWERS).flatMap(([framing, answer]) =>
    Object.entries(TARGETS).flatMap(([kind, request]) =>
      (['reset', 'end'] as const).map((how) => [framing, kind, how, answer, request] as const),
    ),
  ),
)(
  'an answer %s to a %s that breaks off at a random byte by a TCP %s, 63 times: never a clean end',
  async (_, __, how, answer, request) => {
    broker.script = (_request, socket) => {
      const at = Math.floor(Math.random() * answer.length);
      socket.write(answer.subarray(0, at), () => (how === 'reset' ? socket.resetAndDestroy() : socket.end()));
    };
    const outcomes = await Promise.all(
      Array.from({ length: 63 }, async () => {
        const client = await connectRaw(gateway.port);
        client.send(request);
        // A whole answer with status 200 would be the lie; a 502 is the truth, and so is a connection that breaks.
        const got = await client.answer().catch(() => null);
        client.close();
        return got === null ? 'cut' : `${got.status} ${String(got.json().errorCode).slice(0, 9)}`;
      }),
    );
    expect(outcomes.filter((outcome) => outcome !== 'cut' && outcome !== '502 upstream_')).toEqual([]);
  },
);

/** So much at a time as the node's socket takes. */
function flood(socket: Socket): void {
  while (socket.writable && socket.write(Buffer.alloc(64 * 1024)));
}

/** As much as a hundred clients can take on two cores. */
function trickle(socket: Socket): void {
  const timer = setInterval(() => socket.write(Buffer.alloc(4 * 1024)), 50);
  socket.once('close', () => clearInterval(timer));
}

test.each([
  ['read', trickle, false],
  ['had stopped reading', flood, true],
] as const)(
  'clients that %s leave in mid-answer: the node is let go within a second, each of 100 times',
  async (_, fill, pauses) => {
    broker.script = (_request, socket) => {
      socket.write(`${HEAD}Content-Length: 1000000000\r\n\r\n`);
      socket.on('drain', () => fill === flood && flood(socket));
      fill(socket);
    };
    const clients = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const client = await connectRaw(gateway.port);
        client.send(TARGETS.query);
        return client;
      }),
    );
    // The others wait their turn.
    await eventually(() => clients.filter(({ socket }) => socket.bytesRead > 0).length >= 64);
    if (pauses) {
      for (const { socket } of clients) socket.pause();
      await eventually(() => [...broker.sockets].every((socket) => socket.writableNeedDrain));
    }
    for (const client of clients) client.socket.resetAndDestroy();
    const left = performance.now();
    await eventually(() => broker.sockets.size === 0);
    expect(performance.now() - left).toBeLessThan(1_000);
  },
);
