import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pause, type Scene, stage } from './scene.ts';

let scene: Scene;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-gone-'));
  scene = await stage({
    roles: ['coordinator', 'coordinator', 'overlord', 'overlord', 'broker', 'broker'],
    keys: { DISCOVERY__SNAPSHOT_FILE: join(folder, 'snapshot.json') },
  });
  await scene.gateway.until(
    ({ leaders, brokers }) =>
      leaders.coordinator.state === 'serving' &&
      leaders.overlord.state === 'serving' &&
      brokers.filter(({ ready }) => ready).length === 2,
  );
});
afterAll(async () => {
  await scene.close();
  await rm(folder, { recursive: true });
});

/** How long a management call takes to say that ZooKeeper is away. */
async function refusal(): Promise<number> {
  const began = performance.now();
  const answer = await scene.read('overlord');
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ errorCode: 'discovery_stale' });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  return performance.now() - began;
}

test('ZooKeeper is gone for two minutes and the gateway is restarted meanwhile: no query fails', async () => {
  const { ensemble } = scene;
  const [server] = ensemble.servers;
  const began = performance.now();
  const before = scene.traffic('broker', 50);
  await server?.kill('SIGKILL');
  await scene.gateway.until(({ leaders }) => leaders.overlord.state !== 'serving');
  expect(await refusal()).toBeLessThan(6_000);
  await before.succeeded(500);
  await before.stop();
  expect(before.failedReads).toEqual([]);

  expect(await scene.gateway.stop()).toBe(0);
  scene.gateway = await scene.startGateway();
  const started = performance.now();
  expect((await scene.query()).status).toBe(200);
  expect(performance.now() - started).toBeLessThan(5_000);
  expect((await fetch(`${scene.gateway.admin}/health/ready`)).status).toBe(200);
  expect((await scene.gateway.status()).discovery).toMatchObject({ age: expect.any(Number) });
  const after = scene.traffic('broker', 50);
  expect(await refusal()).toBeLessThan(6_000);
  await pause(120_000 - (performance.now() - began));
  expect(await refusal()).toBeLessThan(6_000);
  expect(await scene.gateway.metric('druid_gateway_discovery_age_seconds')).toBeGreaterThan(100);

  // With its data, so that the sessions of before go on, or end, as the processes come back.
  await server?.start();
  await ensemble.serving(1);
  const back = performance.now();
  await scene.gateway.until(
    ({ leaders, discovery }) =>
      discovery.state === 'connected' &&
      leaders.coordinator.state === 'serving' &&
      leaders.overlord.state === 'serving',
  );
  expect(performance.now() - back).toBeLessThan(30_000);
  expect((await scene.read('overlord')).status).toBe(200);
  expect((await scene.read('coordinator')).status).toBe(200);
  await after.succeeded(100);
  await after.stop();
  expect(after.failedReads).toEqual([]);
});
