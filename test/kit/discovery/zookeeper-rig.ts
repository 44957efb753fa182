import { CreateMode } from 'node-zookeeper-client';
import type { MasterRole } from '../../../src/discovery/discovery.ts';
import { createZooKeeperDiscovery } from '../../../src/discovery/zookeeper/discovery.ts';
import { startProxy } from '../net/tcp-proxy.ts';
import type { Writer } from '../zookeeper/zookeeper-writer.ts';
import type { SourceRig } from './source-suite.ts';

let rigs = 0;

/** A real ZooKeeper server as a source, by a link of its own and below a path of its own. */
export async function startZooKeeperRig(port: number, writer: Writer): Promise<SourceRig> {
  const proxy = await startProxy(port);
  const base = `/suite-${rigs++}`;
  const latches = { coordinator: `${base}/coordinator/_COORDINATOR`, overlord: `${base}/overlord/_OVERLORD` };
  const latched = new Map<MasterRole, string>();
  const folder = (role: string): string => `${base}/internal-discovery/${role.toUpperCase()}`;

  async function abdicate(role: MasterRole): Promise<void> {
    const before = latched.get(role);
    latched.delete(role);
    if (before !== undefined) await writer.remove(before);
  }

  return {
    create: (options) =>
      createZooKeeperDiscovery({
        connect: `127.0.0.1:${proxy.port}`,
        sessionTimeoutMs: 20_000,
        basePath: base,
        coordinatorPath: `${base}/coordinator`,
        maxReconnectDelayMs: 20,
        ...options,
      }),
    async announce(role, host, port) {
      const druidNode = { service: `druid/${role}`, host, plaintextPort: port, tlsPort: -1 };
      const json = JSON.stringify({ druidNode, nodeType: role, services: {} });
      await writer.put(`${folder(role)}/${host}:${port}`, json, CreateMode.EPHEMERAL);
    },
    withdraw: (role, host, port) => writer.remove(`${folder(role)}/${host}:${port}`),
    async announceNonsense() {
      await writer.put(`${folder('broker')}/nonsense`, '{"nodeType":"broker"');
    },
    async elect(role, origin) {
      const next = await writer.elect(latches[role], origin);
      await abdicate(role);
      latched.set(role, next);
    },
    abdicate,
    cut: () => proxy.cut(),
    async stop() {
      proxy.drop(true);
      proxy.cut();
    },
    async start() {
      proxy.drop(false);
    },
    held: async () => proxy.open,
    asked: () => proxy.made,
    close: () => proxy.close(),
  };
}
