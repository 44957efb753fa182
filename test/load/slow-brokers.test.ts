import { afterAll, beforeAll, expect, test } from 'vitest';
import { pause, type Scene, stage } from '../faults/scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({
    roles: ['broker', 'broker', 'broker', 'broker'],
    keys: {
      UPSTREAM__MAX_REQUESTS_PER_NODE: '5',
      LIMITS__QUEUE__MAX_REQUESTS: '20',
      LIMITS__QUEUE__MAX_WAIT: '2s',
    },
  });
  await scene.gateway.until(({ brokers }) => brokers.filter(({ ready }) => ready).length === 4);
});
afterAll(() => scene.close());

interface Outcome {
  readonly status: number;
  readonly ms: number;
}

async function timed(): Promise<Outcome> {
  const began = performance.now();
  const answer = await scene.query();
  await answer.text();
  return { status: answer.status, ms: performance.now() - began };
}

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? 0;

test('ten times the load that slow Brokers carry: as much as they carry succeeds, the rest is told at once', async () => {
  // Twenty at a time for 400 ms each: 50 a second, and no more than two cores generate with ease.
  for (const node of scene.cluster.nodes) await node.faults({ delayMs: 400 });
  const outcomes: Promise<Outcome>[] = [];
  const began = performance.now();
  while (performance.now() - began < 5_000) {
    const due = (performance.now() - began) * 0.5 - outcomes.length;
    for (let i = 0; i < due; i++) outcomes.push(timed());
    await pause(10);
  }
  const all = await Promise.all(outcomes);
  const seconds = (performance.now() - began) / 1_000;
  const served = all.filter(({ status }) => status === 200);
  const refused = all.filter(({ status }) => status === 503);
  expect(served.length + refused.length).toBe(all.length);
  expect(served.length / seconds).toBeGreaterThan(37);
  expect(
    quantile(
      served.map(({ ms }) => ms),
      0.99,
    ),
  ).toBeLessThan(4_000);
  expect(
    quantile(
      refused.map(({ ms }) => ms),
      0.5,
    ),
  ).toBeLessThan(500);
  for (const node of scene.cluster.nodes) await node.faults({});
  // Nothing of it is left behind.
  const after = await Promise.all(Array.from({ length: 20 }, timed));
  expect(after.filter(({ status }) => status !== 200)).toEqual([]);
  expect(await scene.gateway.metric('druid_gateway_queued_requests{role="broker"}')).toBe(0);
  expect(await scene.gateway.metric('druid_gateway_broker_ejections_total')).toBe(0);
});
