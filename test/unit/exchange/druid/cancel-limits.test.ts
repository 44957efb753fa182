import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCancelLimits } from '../../../../src/exchange/limits/cancel-limits.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let brokers: FakeUpstream[];
let gateway: Harness;

beforeEach(async () => {
  // They answer queries, and no DELETE.
  const script: FakeUpstream['script'] = ({ method }, socket) => {
    if (method !== 'DELETE') socket.write(json('rows'));
  };
  brokers = await Promise.all([1, 2, 3].map(() => startUpstream(script)));
});

afterEach(async () => {
  await gateway.close();
  for (const broker of brokers) await broker.close();
});

async function begin(options: HarnessOptions = {}): Promise<void> {
  gateway = await startHarness(options);
  gateway.cluster.brokers(...brokers.map(({ origin }) => origin));
}

const asked = (): number => brokers.reduce((sum, { requests }) => sum + requests.length, 0);
/** Sent, with nobody to hear the answer. */
async function cancelAndLeave(id: string, from = '10.0.0.1'): Promise<void> {
  const before = asked();
  const client = await connectRaw(gateway.port);
  client.send(`DELETE /druid/v2/sql/${id} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${from}\r\n\r\n`);
  while (asked() < before + 3) await sleep(2);
  client.close();
}
const cancel = (id: string, from = '10.0.0.1'): Promise<RawAnswer> =>
  exchangeRaw(
    gateway.port,
    `DELETE /druid/v2/sql/${id} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${from}\r\n\r\n`,
  );
const query = (): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, 'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}');

describe.each(['express', 'front'] as const)('through the %s door', (door) => {
  test('cancels that hang take no room from queries', async () => {
    await begin({
      door,
      concurrency: { total: 1 },
      exchange: { maxPerNode: 1, maxQueueMs: 50, trusts: () => true },
    });
    for (let i = 0; i < 5; i++) await cancelAndLeave(`x${i}`);
    expect(brokers.map(({ origin }) => gateway.cluster.node(origin).outstanding)).toEqual([0, 0, 0]);
    expect((await query()).status).toBe(200);
    expect(gateway.cancelLimits.under).toBe(5);
  });

  test('one client has a quarter of what there is, and all have no more than that', async () => {
    await begin({ door, maxCancels: 8, exchange: { trusts: () => true } });
    await cancelAndLeave('x0');
    await cancelAndLeave('x1');
    const own = await cancel('x2');
    expect([own.status, own.json().errorCode]).toEqual([429, 'too_many_requests']);
    expect(own.json().errorMessage).toMatch(/cancels as many queries/);
    for (const from of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) {
      await cancelAndLeave('y0', from);
      await cancelAndLeave('y1', from);
    }
    const any = await cancel('z', '10.0.0.5');
    expect([any.status, any.json().errorCode]).toEqual([503, 'overloaded']);
    expect(Number(any.header('retry-after'))).toBeGreaterThan(0);
    expect(asked()).toBe(24);
  });
});

test('a place is free again once all Brokers have answered, or are given up, or none is there', async () => {
  await begin({ maxCancels: 1 });
  const hung = cancel('a');
  while (asked() < 3) await sleep(2);
  expect((await cancel('b')).status).toBe(503);
  expect((await hung).status).toBe(504);
  expect(gateway.cancelLimits.under).toBe(0);
  const [first, ...others] = brokers;
  for (const broker of others) broker.script = (_, socket) => socket.write(plain('404 Not Found', [], ''));
  if (first !== undefined) first.script = (_, socket) => socket.write(plain('202 Accepted', [], ''));
  expect((await cancel('c')).status).toBe(202);
  while (gateway.cancelLimits.under > 0) await sleep(2);
  gateway.cluster.brokers();
  for (let i = 0; i < 3; i++) expect((await cancel('d')).json().errorCode).toBe('no_ready_broker');
  expect(gateway.cancelLimits.under).toBe(0);
});

test('a cancel of the gateway itself takes no room either', async () => {
  await begin({ exchange: { maxPerNode: 1, maxQueueMs: 50 } });
  const [broker] = brokers;
  if (broker === undefined) throw new Error('there is no Broker');
  gateway.cluster.brokers(broker.origin);
  broker.script = () => {};
  const body = '{"context":{"sqlQueryId":"q-1"}}';
  const client = await connectRaw(gateway.port);
  client.send(`POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  while (broker.requests.length < 1) await sleep(2);
  client.close();
  while (broker.requests.length < 2) await sleep(2);
  expect(broker.requests[1]?.method).toBe('DELETE');
  expect(gateway.cluster.node(broker.origin).outstanding).toBe(0);
});

test('whoever comes and goes, nobody has more than a quarter, all no more than all, and nothing is left', () => {
  const clients = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.boolean()), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), clients, (max, steps) => {
      const limits = createCancelLimits(max);
      const inside: string[] = [];
      for (const [client, comes] of steps) {
        if (!comes) {
          const [gone] = inside.splice(0, 1);
          if (gone !== undefined) limits.leave(gone);
          continue;
        }
        const own = inside.filter((other) => other === client).length;
        const expected = inside.length >= max ? 'all' : own >= Math.ceil(max / 4) ? 'client' : null;
        expect(limits.limitReached(client)).toBe(expected);
        if (expected !== null) continue;
        limits.enter(client);
        inside.push(client);
      }
      for (const client of inside) limits.leave(client);
      expect([limits.under, limits.limitReached('a')]).toEqual([0, null]);
    }),
  );
});
