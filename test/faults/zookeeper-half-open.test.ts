import { afterAll, afterEach, expect, test } from 'vitest';
import { createLink, type NamespaceLink } from '../kit/net/namespace.ts';
import { type Scene, stage } from './scene.ts';

let scene: Scene | null = null;
let link: NamespaceLink | null = null;

afterEach(async () => {
  await scene?.close();
  scene = null;
});
afterAll(() => link?.close());

test('packets to ZooKeeper vanish without a word: noticed, lived without, and found again', async (context) => {
  let refusal = '';
  scene = await stage({
    roles: ['coordinator', 'overlord', 'broker'],
    async zookeeper({ servers }) {
      const made = await createLink(servers[0]?.port ?? 0);
      if (typeof made === 'string') {
        refusal = made;
        return `127.0.0.1:${servers[0]?.port}`;
      }
      link = made;
      return `${made.host}:${made.port}`;
    },
  });
  if (link === null) return context.skip(`no network namespace here: ${refusal}`);
  const { gateway } = scene;
  await gateway.until(
    ({ leaders, brokers }) =>
      leaders.coordinator.state === 'serving' &&
      leaders.overlord.state === 'serving' &&
      brokers[0]?.ready === true,
  );
  const traffics = [
    scene.traffic('coordinator', 20, 2),
    scene.traffic('overlord', 20, 2),
    scene.traffic('broker', 20),
  ];
  await link.down();
  let began = performance.now();
  await gateway.until(({ discovery }) => discovery.state !== 'connected');
  // The session timeout is 3 s, of which two thirds without a word are too many; the rest is for a slow machine.
  expect(performance.now() - began).toBeLessThan(5_000);
  await gateway.until(({ leaders }) => leaders.coordinator.knownBy === 'probe');
  expect(await gateway.metric('druid_gateway_discovery_age_seconds')).toBeGreaterThan(1);
  for (const traffic of traffics) await traffic.succeeded(100);
  await link.up();
  began = performance.now();
  await gateway.until(
    ({ discovery, leaders }) => discovery.state === 'connected' && leaders.coordinator.knownBy === 'both',
  );
  expect(performance.now() - began).toBeLessThan(15_000);
  for (const traffic of traffics) {
    await traffic.stop();
    expect(traffic.failedReads).toEqual([]);
    expect(traffic.writes.filter(({ status }) => status !== 200)).toEqual([]);
  }
});
