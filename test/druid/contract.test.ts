import { beforeAll } from 'vitest';
import { masters, nodes } from '../kit/druid/druid.ts';
import { type ContractNodes, druidContract } from '../kit/upstream/contract.ts';

const origin = ({ port }: { readonly port: number }): string => `http://127.0.0.1:${port}`;

// The first to ask waits for the cluster.
beforeAll(async () => void (await nodes()));

druidContract(async (): Promise<ContractNodes> => {
  const [coordinators, overlords] = [await masters('coordinator'), await masters('overlord')];
  const broker = (await nodes()).find(({ role }) => role === 'broker');
  if (broker === undefined) throw new Error('there is no Broker');
  return {
    masters: {
      coordinator: { leader: origin(coordinators.leader), other: origin(coordinators.other) },
      overlord: { leader: origin(overlords.leader), other: origin(overlords.other) },
    },
    broker: origin(broker),
  };
});
