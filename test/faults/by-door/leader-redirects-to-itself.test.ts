import { afterAll, beforeAll, expect, test } from 'vitest';
import { pause, type Scene, stage } from '../scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({ roles: ['coordinator'] });
  await scene.gateway.until(({ leaders }) => leaders.coordinator.state === 'serving');
});
afterAll(() => scene.close());

test('a leader that redirects to itself for a moment: no client sees it', async () => {
  const [coordinator] = scene.cluster.nodes;
  const traffic = scene.traffic('coordinator', 50, 5);
  for (let i = 0; i < 5; i++) {
    await traffic.succeeded(20);
    await coordinator?.faults({ redirectsToItself: true });
    await pause(100);
    await coordinator?.faults({});
  }
  await traffic.succeeded(20);
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
  // A 307 says that nothing was done, so that a write may go on to the leader as well.
  expect(traffic.writes.filter(({ status }) => status !== 200)).toEqual([]);
  expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
});

test('one that goes on doing so: 503 after three more hops, never a 307', async () => {
  const [coordinator] = scene.cluster.nodes;
  await coordinator?.faults({ redirectsToItself: true });
  const before = await scene.gateway.metric('druid_gateway_attempts_total{role="coordinator"}');
  const answer = await scene.read('coordinator');
  expect(answer.status).toBe(503);
  expect(answer.headers.get('location')).toBeNull();
  expect(await answer.json()).toMatchObject({ errorCode: 'leader_moved' });
  const after = await scene.gateway.metric('druid_gateway_attempts_total{role="coordinator"}');
  expect(after - before).toBe(4);
  await coordinator?.faults({});
  expect((await scene.read('coordinator')).status).toBe(200);
});
