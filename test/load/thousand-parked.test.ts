import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, type Scene, stage } from '../faults/scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({
    roles: ['overlord'],
    keys: { PARKING__MAX_REQUESTS: '1000', UPSTREAM__MAX_REQUESTS_PER_NODE: '50' },
  });
  await scene.gateway.until(({ leaders }) => leaders.overlord.state === 'serving');
});
afterAll(() => scene.close());

test('1,000 requests wait for a leader: all are answered, each one too many gets 503 at once', async () => {
  const { gateway, cluster } = scene;
  const [overlord] = cluster.nodes;
  await overlord?.kill('SIGKILL');
  await gateway.until(({ leaders }) => leaders.overlord.state === 'none');
  const waiting = Array.from({ length: 1_000 }, () => scene.read('overlord'));
  const parked = () => gateway.metric('druid_gateway_parked_requests{role="overlord"}');
  await eventually(async () => (await parked()) === 1_000);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const sent = performance.now();
    const refused = await scene.read('overlord');
    expect([refused.status, await refused.json()]).toEqual([
      503,
      expect.objectContaining({ errorCode: 'parking_full' }),
    ]);
    times.push(performance.now() - sent);
  }
  // At once: the best of five, since the machine may be slow, and the gateway must not be.
  expect(Math.min(...times)).toBeLessThan(200);
  await overlord?.start();
  await gateway.until(({ leaders }) => leaders.overlord.state === 'serving');
  const began = performance.now();
  const statuses = (await Promise.all(waiting)).map(({ status }) => status);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(await parked()).toBe(0);
  expect(await gateway.metric('druid_gateway_running_requests{role="overlord"}')).toBe(0);
});
