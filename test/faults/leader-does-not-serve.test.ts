import { afterAll, beforeAll, expect, test } from 'vitest';
import { pause, type Scene, stage } from './scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({ roles: ['coordinator', 'overlord'] });
});
afterAll(() => scene.close());

test('a latch held for 60 s by a node that does not serve: waits of 40 s, then a 503; nobody else notices', async () => {
  const { cluster, gateway } = scene;
  const [coordinator] = cluster.of('coordinator');
  await coordinator?.faults({ doesNotServe: true });
  await gateway.until(({ leaders }) => leaders.coordinator.state === 'elected');
  const others = scene.traffic('overlord', 20, 2);
  const began = performance.now();
  const early = scene.read('coordinator');
  await pause(25_000);
  const late = scene.read('coordinator');
  const answer = await early;
  const waited = performance.now() - began;
  expect(waited).toBeGreaterThan(39_900);
  expect(waited).toBeLessThan(43_000);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ errorCode: 'leader_initialising' });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  await pause(60_000 - (performance.now() - began));
  await coordinator?.faults({});
  expect((await late).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(65_000);
  await others.stop();
  expect(others.failedReads).toEqual([]);
  expect(others.writes.filter(({ status }) => status !== 200)).toEqual([]);
  expect(await scene.writesOf(others)).toEqual({ twice: [], lost: [] });
});
