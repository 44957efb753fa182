import { afterAll, beforeAll, expect, test } from 'vitest';
import { pause, type Scene, stage } from '../scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({ roles: ['coordinator', 'coordinator', 'broker'] });
  await scene.gateway.until(
    ({ leaders, brokers }) => leaders.coordinator.state === 'serving' && brokers[0]?.ready === true,
  );
});
afterAll(() => scene.close());

test('the gateway is frozen for longer than its session and the leader moves meanwhile: right within 5 s', async () => {
  const { cluster, gateway } = scene;
  const [first, second] = cluster.of('coordinator');
  const reconnects = await gateway.metric('druid_gateway_zookeeper_reconnects_total');
  process.kill(gateway.pid, 'SIGSTOP');
  // Sent to a process that does not run; answered by it once it does.
  const sent = [scene.read('coordinator'), scene.query()];
  await first?.kill('SIGKILL');
  await pause(8_000);
  process.kill(gateway.pid, 'SIGCONT');
  const began = performance.now();
  for (const answer of await Promise.all(sent)) expect(answer.status).toBe(200);
  await gateway.until(
    ({ leaders, discovery }) =>
      discovery.state === 'connected' &&
      leaders.coordinator.state === 'serving' &&
      leaders.coordinator.node === second?.hostAndPort,
  );
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(await gateway.metric('druid_gateway_zookeeper_reconnects_total')).toBeGreaterThan(reconnects);
  expect(await gateway.metric('druid_gateway_zookeeper_watches')).toBe(5);
});
