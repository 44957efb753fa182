import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeUpstream, json, startUpstream } from '../support/fake-upstream.ts';
import { type Harness, startHarness } from '../support/gateway-harness.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  // Queries are never answered; cancels and all else are.
  broker = await startUpstream(({ method }, socket) => {
    if (method !== 'POST') socket.write(json('ok'));
  });
  gateway = await startHarness();
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

const BODY = '{"query":"x","context":{"sqlQueryId":"q","timeout":1000000000}}';
const QUERY = `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const GET = 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n';

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function asks(): Promise<RawClient> {
  const client = await connectRaw(gateway.port);
  client.send(QUERY);
  await until(() => broker.requests.length > 0);
  return client;
}

/** The query of the client that has left is over, and cancelled. */
async function noticed(): Promise<void> {
  const [record] = await gateway.recorded(1);
  expect([record?.status, record?.end]).toEqual([499, 'client_gone']);
  await until(() => broker.requests.some(({ method }) => method === 'DELETE'));
  await until(() => gateway.cluster.node(broker.origin).outstanding === 0);
  expect(gateway.concurrency.under('broker')).toBe(0);
  expect(gateway.errors.lines).toEqual([]);
}

describe('a client that leaves while its query runs is noticed, whatever it has sent behind it:', () => {
  test.each([
    ['half a request', 'GET /druid/v2/x HTTP/1.1\r\nHo'],
    ['requests', GET.repeat(20)],
    ['100 KB of requests', GET.repeat(2_500)],
    ['1 MB of requests', GET.repeat(25_000)],
    [
      'the beginning of a body',
      `POST /druid/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1900000\r\n\r\n${'x'.repeat(60_000)}`,
    ],
    [
      '100 KB of a body',
      `POST /druid/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1900000\r\n\r\n${'x'.repeat(100_000)}`,
    ],
    [
      '300 KB of a body',
      `POST /druid/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1900000\r\n\r\n${'x'.repeat(300_000)}`,
    ],
    [
      'a body in chunks',
      `POST /druid/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n40000\r\n${'x'.repeat(0x40000)}`,
    ],
  ])('%s', async (_, behind) => {
    const client = await asks();
    client.send(behind);
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.socket.resetAndDestroy();
    await noticed();
  });
});

test('a pipeline that no client needs is cut, and costs nothing', async () => {
  const client = await asks();
  // Not plain, so that it is the front door that has them; each would be an object of its own.
  client.send('GET / HTTP/1.1\r\nHost:a\r\n\r\n'.repeat(100_000));
  await client.ended();
  await noticed();
});

test('an ordinary pipeline is answered in its order', async () => {
  const client = await connectRaw(gateway.port);
  client.send(GET.repeat(60));
  for (let i = 0; i < 60; i++) expect((await client.answer()).status).toBe(200);
  client.close();
});
