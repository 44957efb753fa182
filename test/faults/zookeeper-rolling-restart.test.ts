import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnsembleServer } from '../kit/zookeeper/zookeeper.ts';
import { pause, type Scene, stage } from './scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({
    servers: 3,
    roles: ['coordinator', 'coordinator', 'overlord', 'overlord', 'broker'],
  });
});
afterAll(() => scene.close());

/** How a server fails for a while. */
type Fault = (server: EnsembleServer, meanwhile: () => Promise<void>) => Promise<void>;

const restarted: Fault = async (server, meanwhile) => {
  await server.kill('SIGKILL');
  await scene.ensemble.serving(2);
  await meanwhile();
  await server.start();
};
/** For longer than the sessions of the gateway and of the nodes. */
const frozen: Fault = async (server, meanwhile) => {
  await server.kill('SIGSTOP');
  try {
    await pause(5_000);
    await meanwhile();
  } finally {
    await server.kill('SIGCONT');
  }
};

test.each([
  ['killed and started again', restarted],
  ['frozen for 5 s', frozen],
] as const)('each of three ZooKeeper servers is %s: no request fails', async (_, fault) => {
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
  const served = async (): Promise<void> => {
    for (const traffic of traffics) await traffic.succeeded(25);
  };
  for (const server of ensemble.servers) {
    await fault(server, served);
    await ensemble.serving(3);
    await served();
  }
  for (const traffic of traffics) {
    await traffic.stop();
    expect(traffic.failedReads).toEqual([]);
    expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
  }
});
