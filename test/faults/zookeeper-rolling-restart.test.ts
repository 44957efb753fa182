import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Scene, stage } from './scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({
    servers: 3,
    roles: ['coordinator', 'coordinator', 'overlord', 'overlord', 'broker'],
  });
});
afterAll(() => scene.close());

test('each of three ZooKeeper servers is killed and started again: no request fails', async () => {
  const { ensemble, gateway } = scene;
  await gateway.until(
    ({ leaders, brokers }) =>
      leaders.coordinator.state === 'serving' &&
      leaders.overlord.state === 'serving' &&
      brokers[0]?.ready === true,
  );
  const traffics = [
    scene.traffic('coordinator', 25, 2),
    scene.traffic('overlord', 25, 2),
    scene.traffic('broker', 25),
  ];
  for (const server of ensemble.servers) {
    await server.kill('SIGKILL');
    await ensemble.serving(2);
    for (const traffic of traffics) await traffic.succeeded(25);
    await server.start();
    await ensemble.serving(3);
    for (const traffic of traffics) await traffic.succeeded(25);
  }
  for (const traffic of traffics) {
    await traffic.stop();
    expect(traffic.failedReads).toEqual([]);
    expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
  }
});
