import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConsulDiscovery } from '../../../src/discovery/consul/discovery.ts';
import type { MasterRole } from '../../../src/discovery/discovery.ts';
import type { ApiTarget } from '../../../src/discovery/http-api.ts';
import { startFakeConsul } from '../consul/fake-consul.ts';
import { nodeInfo } from '../kubernetes/druid-pods.ts';
import type { ConsulRig, ConsulWriter } from './consul-suite.ts';
import { settled } from './settled.ts';
import type { SourceRig } from './source-suite.ts';

export const PREFIX = 'druid-test';
export const LEADER_KEYS = {
  coordinator: 'druid/leader/coordinator',
  overlord: 'druid/leader/overlord',
} as const;

/** What a source does with Consul, real or fake. Announcements are in keys, as real ones are. */
export function sourceOf(
  consul: ConsulWriter,
  prefix: string,
  leaderKeys: Readonly<Record<MasterRole, string>>,
  target: ApiTarget,
): Pick<SourceRig, 'create' | 'announce' | 'withdraw' | 'announceNonsense' | 'elect' | 'abdicate'> {
  const sessions = new Map<MasterRole, string>();
  const idOf = (role: string, host: string, port: number): string => `${prefix}-${role}-${host}-${port}`;

  async function abdicate(role: MasterRole): Promise<void> {
    const session = sessions.get(role);
    sessions.delete(role);
    if (session !== undefined) await consul.endSession(session);
  }

  return {
    create: (options) =>
      createConsulDiscovery({
        ...target,
        servicePrefix: prefix,
        leaderKeys,
        maxDelayMs: 20,
        requestMs: 5_000,
        ...options,
      }),
    async announce(role, host, port) {
      const id = idOf(role, host, port);
      const key = `${prefix}/nodes/${id}`;
      await consul.putKey(key, nodeInfo(role, host, port));
      await consul.register(`${prefix}-${role}`, id, { druid_node_kv: key });
    },
    async withdraw(role, host, port) {
      const id = idOf(role, host, port);
      await consul.deleteKey(`${prefix}/nodes/${id}`);
      await consul.deregister(id);
    },
    async announceNonsense() {
      const id = `${prefix}-nonsense`;
      await consul.register(`${prefix}-broker`, id, { druid_node: '{"nodeType":"broker"' });
    },
    async elect(role, origin) {
      await abdicate(role);
      const session = await consul.openSession(`druid-leader-${origin}`);
      sessions.set(role, session);
      await consul.lock(leaderKeys[role], origin, session);
    },
    abdicate,
  };
}

/** A fake Consul as a source. */
export async function startConsulRig(): Promise<ConsulRig> {
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-consul-'));
  const consul = await startFakeConsul();
  consul.tokens = new Map([
    ['services keys', ['services', 'keys']],
    ['services', ['services']],
    ['keys', ['keys']],
  ]);
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'services keys');
  const target = { server: consul.url, tokenFile, caFile: null };
  return {
    ...sourceOf(consul, PREFIX, LEADER_KEYS, target),
    prefix: PREFIX,
    leaderKeys: LEADER_KEYS,
    writer: consul,
    target,
    token: async (rights) => (rights === 'nobody' ? rights : rights.join(' ')),
    async lose() {
      consul.lose();
    },
    cut: () => consul.cut(),
    stop: () => consul.down(),
    start: () => consul.up(),
    // Those of single questions end with their answers.
    held: () => settled(() => (consul.openSockets === consul.waiting ? consul.openSockets : null)),
    asked: () => consul.requests.length,
    async close() {
      await consul.close();
      await rm(folder, { recursive: true });
    },
  };
}
