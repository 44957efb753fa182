import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Scene, stage } from '../faults/scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({
    roles: ['broker', 'broker', 'broker'],
    keys: { RETRIES__SHARE: '0.1', RETRIES__MIN_PER_SECOND: '1', LIMITS__CONCURRENCY__PER_CLIENT: '0' },
  });
  await scene.gateway.until(({ brokers }) => brokers.filter(({ ready }) => ready).length === 3);
});
afterAll(() => scene.close());

test('all Brokers reset every query: what is sent again stays within the budget', async () => {
  for (const node of scene.cluster.nodes) await node.faults({ resets: true });
  const answers = await Promise.all(Array.from({ length: 500 }, () => scene.query()));
  for (const answer of answers) expect(await answer.json()).toMatchObject({ errorCode: 'upstream_reset' });
  const retries = await scene.gateway.metric('druid_gateway_retries_total{role="broker"}');
  expect(retries).toBeGreaterThan(0);
  expect(retries).toBeLessThanOrEqual(500 * 0.1 + 10);
  expect(await scene.gateway.metric('druid_gateway_retries_refused_total')).toBe(500 - retries);
  // Not one of them is left out for good: all behave alike.
  const { brokers } = await scene.gateway.status();
  expect(brokers.filter(({ ready }) => ready).length).toBeGreaterThanOrEqual(2);
});
