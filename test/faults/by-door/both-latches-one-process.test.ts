import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Scene, stage } from '../scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({ roles: ['masters', 'masters'] });
});
afterAll(() => scene.close());

test('one process holds both latches and is killed: both roles move, no read fails', async () => {
  const { cluster, gateway } = scene;
  const [first, second] = cluster.nodes;
  const lead = (node: typeof first) =>
    gateway.until(
      ({ leaders }) =>
        leaders.coordinator.state === 'serving' &&
        leaders.coordinator.node === node?.hostAndPort &&
        leaders.overlord.state === 'serving' &&
        leaders.overlord.node === node?.hostAndPort,
    );
  await lead(first);
  const traffics = [scene.traffic('coordinator', 50, 5), scene.traffic('overlord', 50, 5)];
  for (const traffic of traffics) await traffic.succeeded(20);
  await first?.kill('SIGKILL');
  await lead(second);
  for (const traffic of traffics) {
    await traffic.succeeded(20);
    await traffic.stop();
    expect(traffic.failedReads).toEqual([]);
    expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
  }
});
