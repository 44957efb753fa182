import { createConsulDiscovery } from '../../../src/discovery/consul/discovery.ts';
import { startFakeConsul } from '../consul/fake-consul.ts';
import { nodeInfo } from '../kubernetes/druid-pods.ts';
import { settled } from './settled.ts';
import type { SourceRig } from './source-suite.ts';

export const PREFIX = 'druid-test';
export const LEADER_KEYS = {
  coordinator: 'druid/leader/coordinator',
  overlord: 'druid/leader/overlord',
} as const;

/** A fake Consul as a source. Announcements are in keys, as real ones are. */
export async function startConsulRig(): Promise<SourceRig> {
  const consul = await startFakeConsul();
  const idOf = (role: string, host: string, port: number): string => `${PREFIX}-${role}-${host}-${port}`;
  return {
    create: (options) =>
      createConsulDiscovery({
        server: consul.url,
        tokenFile: null,
        caFile: null,
        servicePrefix: PREFIX,
        leaderKeys: LEADER_KEYS,
        maxDelayMs: 20,
        requestMs: 2_000,
        ...options,
      }),
    async announce(role, host, port) {
      const id = idOf(role, host, port);
      const key = `${PREFIX}/nodes/${id}`;
      consul.putKey(key, nodeInfo(role, host, port));
      consul.register(`${PREFIX}-${role}`, id, { druid_node_kv: key });
    },
    async withdraw(role, host, port) {
      const id = idOf(role, host, port);
      consul.deleteKey(`${PREFIX}/nodes/${id}`);
      consul.deregister(id);
    },
    async announceNonsense() {
      consul.register(`${PREFIX}-broker`, 'nonsense', { druid_node: '{"nodeType":"broker"' });
    },
    async elect(role, origin) {
      consul.acquire(LEADER_KEYS[role], origin);
    },
    async abdicate(role) {
      consul.deleteKey(LEADER_KEYS[role]);
    },
    cut: () => consul.cut(),
    stop: () => consul.down(),
    start: () => consul.up(),
    // Those of single questions end with their answers.
    held: () => settled(() => (consul.openSockets === consul.waiting ? consul.openSockets : null)),
    close: () => consul.close(),
  };
}
