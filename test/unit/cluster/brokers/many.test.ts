import { afterEach, expect, test, vi } from 'vitest';
import { type Brokers, createBrokers } from '../../../../src/cluster/brokers/brokers.ts';
import { UpstreamNode } from '../../../../src/cluster/node.ts';
import type { Announcement } from '../../../../src/discovery/discovery.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

let brokers: Brokers | null = null;
afterEach(() => brokers?.stop());

test('of thousands of Brokers some hundred are asked at once, and those that left meanwhile are not', async () => {
  const nodes = new Map<string, UpstreamNode>();
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const following = createBrokers({
    probe(origin, path) {
      if (path !== '/druid/broker/v1/readiness')
        return Promise.resolve({ kind: 'answer', status: 404, body: '' });
      asked.push(origin);
      return new Promise((resolve) => {
        answers.push(() => resolve({ kind: 'answer', status: 200, body: '' }));
      });
    },
    health: {
      probeIntervalMs: 60_000,
      outlier: { failures: 5, ejectionMs: 10_000, maxEjectionMs: 60_000 },
      maxEjectedShare: 0.5,
      slowStartMs: 0,
      emptyGraceMs: 1_000,
    },
    random: () => 0.5,
    now: () => Date.now(),
    nodeAt(origin) {
      const node = nodes.get(origin) ?? new UpstreamNode(origin);
      nodes.set(origin, node);
      return node;
    },
    onChange() {},
    onEjection() {},
    errors: recordErrors(),
  });
  brokers = following;
  const announced = Array.from(
    { length: 2_000 },
    (_, i) => ({ role: 'broker', origin: `http://10.0.0.1:${10_000 + i}`, service: 's' }) as Announcement,
  );
  following.announce(announced);
  expect(asked).toHaveLength(512);
  following.announce(announced.slice(0, 1_500));
  let most = 0;
  while (asked.length < 1_500) {
    most = Math.max(most, answers.length);
    for (const answer of answers.splice(0)) answer();
    await new Promise(setImmediate);
  }
  for (const answer of answers.splice(0)) answer();
  await vi.waitFor(() => expect(following.views.filter(({ ready }) => ready)).toHaveLength(1_500));
  expect(most).toBe(512);
  expect(asked).toHaveLength(1_500);
});
