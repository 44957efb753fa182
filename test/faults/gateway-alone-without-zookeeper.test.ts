import { afterAll, beforeAll, expect, test } from 'vitest';
import { startProxy, type TcpProxy } from '../kit/net/tcp-proxy.ts';
import { type Scene, stage } from './scene.ts';

let scene: Scene;
let proxy: TcpProxy;

beforeAll(async () => {
  scene = await stage({
    roles: ['coordinator', 'coordinator', 'overlord', 'overlord', 'broker'],
    async zookeeper({ servers }) {
      proxy = await startProxy(servers[0]?.port ?? 0);
      return `127.0.0.1:${proxy.port}`;
    },
  });
  await scene.gateway.until(
    ({ leaders, brokers }) =>
      leaders.coordinator.state === 'serving' &&
      leaders.overlord.state === 'serving' &&
      brokers[0]?.ready === true,
  );
});
afterAll(async () => {
  await scene.close();
  await proxy.close();
});

test('only the gateway has lost ZooKeeper: nothing fails, and a leader that moves is found by asking', async () => {
  const { cluster, gateway } = scene;
  const [first, second] = cluster.of('overlord');
  const traffics = [
    scene.traffic('coordinator', 25, 3),
    scene.traffic('overlord', 25, 3),
    scene.traffic('broker', 25),
  ];
  proxy.stall();
  await gateway.until(
    ({ discovery, leaders }) => discovery.state !== 'connected' && leaders.overlord.knownBy === 'probe',
  );
  for (const traffic of traffics) await traffic.succeeded(25);
  await first?.kill('SIGKILL');
  await gateway.until(
    ({ leaders }) => leaders.overlord.state === 'serving' && leaders.overlord.node === second?.hostAndPort,
  );
  const answer = await fetch(`${gateway.url}/druid/indexer/v1/tasks`, {
    headers: { 'X-Druid-Gateway-View': '1' },
  });
  expect(answer.headers.get('x-druid-gateway-view')).toMatch(
    /discovery=(suspended|lost|connecting), age=\d+\.\d{3}, .*overlord=serving\/probe/,
  );
  for (const traffic of traffics) await traffic.succeeded(25);
  proxy.flow();
  await gateway.until(
    ({ discovery, leaders }) =>
      discovery.state === 'connected' &&
      leaders.overlord.knownBy === 'both' &&
      leaders.overlord.node === second?.hostAndPort,
  );
  for (const traffic of traffics) {
    await traffic.succeeded(25);
    await traffic.stop();
    expect(traffic.failedReads).toEqual([]);
    expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
  }
});
