import { afterAll, beforeAll } from 'vitest';
import { type ContractNodes, druidContract } from '../kit/upstream/contract.ts';
import { type Scene, stage } from './scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({ roles: ['coordinator', 'coordinator', 'overlord', 'overlord', 'broker'] });
  await scene.gateway.until(
    ({ leaders }) => leaders.coordinator.state === 'serving' && leaders.overlord.state === 'serving',
  );
});
afterAll(() => scene.close());

druidContract(async (): Promise<ContractNodes> => {
  const [first, second, third, fourth, broker] = scene.cluster.nodes.map(({ origin }) => origin);
  return {
    masters: {
      coordinator: { leader: first ?? '', other: second ?? '' },
      overlord: { leader: third ?? '', other: fourth ?? '' },
    },
    broker: broker ?? '',
  };
});
