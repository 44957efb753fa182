import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Brokers, createBrokers } from '../../../../src/cluster/brokers/brokers.ts';
import { UpstreamNode } from '../../../../src/cluster/node.ts';
import type { Announcement } from '../../../../src/discovery/discovery.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

const INTERVAL_MS = 1_000;
const node = new UpstreamNode('http://127.0.0.1:8082');

let asked: string[];
/** What the Broker answers to each path. */
let status: Record<string, number>;
let brokers: Brokers;

beforeEach(async () => {
  vi.useFakeTimers();
  asked = [];
  status = { '/druid/broker/v1/readiness': 200, '/status/ready': 404 };
  brokers = createBrokers({
    async probe(_, path) {
      asked.push(path);
      return { kind: 'answer', status: status[path] ?? 500, body: '' };
    },
    health: {
      probeIntervalMs: INTERVAL_MS,
      outlier: { failures: 5, ejectionMs: 10_000, maxEjectionMs: 60_000 },
      maxEjectedShare: 0.5,
      slowStartMs: 0,
      emptyGraceMs: 1_000,
    },
    random: () => 0.5,
    now: () => Date.now(),
    nodeAt: () => node,
    onChange() {},
    onEjection() {},
    errors: recordErrors(),
  });
  brokers.announce([{ role: 'broker', origin: node.origin, service: 'druid/broker' } as Announcement]);
  await vi.advanceTimersByTimeAsync(0);
  expect(brokers.views[0]?.ready).toBe(true);
  asked = [];
});
afterEach(() => {
  brokers.stop();
  vi.useRealTimers();
});

async function serveFor(milliseconds: number): Promise<void> {
  for (let i = 0; i < milliseconds; i += 100) {
    brokers.report(node, 'ok');
    await vi.advanceTimersByTimeAsync(100);
  }
}

test('a Broker whose requests succeed is not asked whether it is ready, and is again once they stop', async () => {
  await serveFor(10 * INTERVAL_MS);
  expect(asked).toEqual([]);
  status['/druid/broker/v1/readiness'] = 503;
  // As soon as after a probe that was the last good answer, give or take the last request's tenth of a second.
  await vi.advanceTimersByTimeAsync(INTERVAL_MS);
  expect(asked).toEqual(['/druid/broker/v1/readiness']);
  expect(brokers.views[0]?.ready).toBe(false);
});

test('it is asked for what requests do not say: that it is about to stop', async () => {
  status['/status/ready'] = 200;
  // A Broker that did not know the path is asked for it again after a minute.
  await serveFor(70_000);
  expect(new Set(asked)).toEqual(new Set(['/status/ready']));
  asked = [];
  status['/status/ready'] = 503;
  await serveFor(2 * INTERVAL_MS);
  expect(asked).toContain('/status/ready');
  expect(brokers.views[0]?.ready).toBe(false);
});

test('without requests it is asked at every interval', async () => {
  await vi.advanceTimersByTimeAsync(10 * INTERVAL_MS);
  expect(asked.filter((path) => path.endsWith('readiness'))).toHaveLength(10);
});
