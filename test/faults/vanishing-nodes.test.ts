import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectWriter, type Writer } from '../support/zookeeper.ts';
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

test('folder and latch vanish whole: Brokers stay for a while, and all is found again', async () => {
  const traffic = scene.traffic('broker', 25);
  const [broker] = scene.cluster.of('broker');
  const path = `${BROKERS}/${broker?.hostAndPort}`;
  const data = await new Promise<Buffer>((resolve, reject) =>
    writer.client.getData(path, (error: unknown, found: Buffer | undefined) =>
      error || found === undefined ? reject(new Error(String(error))) : resolve(found),
    ),
  );
  await writer.remove(path);
  await writer.remove(BROKERS);
  await traffic.succeeded(100);
  await writer.put(path, data);
  await traffic.succeeded(25);
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
});
