import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw } from '../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream((_, socket) => socket.write(json('ok')));
  gateway = await startHarness({ limits: { maxConnections: 2 } });
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

test('connections beyond the limit are closed at once, those within it are served, and make room when they end', async () => {
  const first = await connectRaw(gateway.port);
  const second = await connectRaw(gateway.port);
  const request = 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const client of [first, second]) {
    client.send(request);
    expect((await client.answer()).status).toBe(200);
  }
  const third = await connectRaw(gateway.port);
  await third.ended();
  expect(third.socket.bytesRead).toBe(0);
  first.send(request);
  expect((await first.answer()).status).toBe(200);
  first.close();
  // The gateway hears of it a moment later.
  for (;;) {
    const next = await connectRaw(gateway.port);
    next.send(request);
    const answer = await next.answer().catch(() => null);
    next.close();
    if (answer?.status === 200) break;
  }
});
