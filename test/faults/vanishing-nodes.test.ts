import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Traffic } from '../kit/clients/traffic.ts';
import { LATCHES } from '../kit/upstream/druid-like/master.ts';
import { connectWriter, type Writer } from '../kit/zookeeper/zookeeper-writer.ts';
import { type Scene, stage } from './scene.ts';

let scene: Scene;
let writer: Writer;

const BROKERS = '/druid/internal-discovery/BROKER';

beforeAll(async () => {
  scene = await stage({ roles: ['coordinator', 'broker'] });
  writer = await connectWriter(scene.ensemble.connect);
  await scene.gateway.until(
    ({ leaders, brokers }) => leaders.coordinator.state === 'serving' && brokers[0]?.ready === true,
  );
});
afterAll(async () => {
  writer.close();
  await scene.close();
});

function children(path: string): Promise<string[]> {
  return new Promise((resolve, reject) =>
    writer.client.getChildren(path, (error: unknown, names: string[]) =>
      error ? reject(new Error(String(error))) : resolve(names),
    ),
  );
}

test('nodes come and vanish between list and read: no request fails, no fault, and the view is right', async () => {
  const traffics = [scene.traffic('coordinator', 25, 2), scene.traffic('broker', 25)];
  for (let i = 0; i < 300; i++) {
    const path = await writer.announce(BROKERS, 'broker', 40_000 + (i % 50));
    await writer.remove(path);
  }
  await scene.gateway.until(({ brokers }) => brokers.length === 1);
  expect(await scene.gateway.metric('druid_gateway_discovery_faults_total')).toBe(0);
  expect(await scene.gateway.metric('druid_gateway_zookeeper_watches')).toBe(5);
  for (const traffic of traffics) {
    await traffic.succeeded(25);
    await traffic.stop();
    expect(traffic.failedReads).toEqual([]);
  }
});

test('folder and latch vanish whole: Brokers stay for a while, requests for the leader wait, and all is found again', async () => {
  const traffics = [scene.traffic('broker', 25), scene.traffic('coordinator', 25, 2)];
  const [queries, management] = traffics as [Traffic, Traffic];
  const { gateway, cluster } = scene;
  const [broker] = cluster.of('broker');
  const [coordinator] = cluster.of('coordinator');
  const path = `${BROKERS}/${broker?.hostAndPort}`;
  const data = await new Promise<Buffer>((resolve, reject) =>
    writer.client.getData(path, (error: unknown, found: Buffer | undefined) =>
      error || found === undefined ? reject(new Error(String(error))) : resolve(found),
    ),
  );
  await writer.remove(path);
  await writer.remove(BROKERS);
  await queries.succeeded(100);
  await writer.put(path, data);
  await queries.succeeded(25);

  for (const child of await children(LATCHES.coordinator))
    await writer.remove(`${LATCHES.coordinator}/${child}`);
  await writer.remove(LATCHES.coordinator);
  await gateway.until(({ leaders }) => leaders.coordinator.state === 'none');
  await writer.elect(LATCHES.coordinator, coordinator?.origin ?? '');
  await gateway.until(({ leaders }) => leaders.coordinator.state === 'serving');
  await management.succeeded(25);
  for (const traffic of traffics) {
    await traffic.stop();
    expect(traffic.failedReads).toEqual([]);
    expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
  }
  expect(await gateway.metric('druid_gateway_discovery_faults_total')).toBe(0);
  expect(await gateway.metric('druid_gateway_zookeeper_watches')).toBe(5);
});
