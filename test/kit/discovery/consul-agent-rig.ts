import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConsulAgent } from '../consul/agent.ts';
import { startProxy } from '../net/tcp-proxy.ts';
import { sourceOf } from './consul-rig.ts';
import type { ConsulRig } from './consul-suite.ts';
import { settled } from './settled.ts';

let rigs = 0;

/** The documented rights of a gateway's token (docs/deployment.md). */
export function rightsOf(prefix: string): Readonly<Record<'services' | 'keys', string>> {
  return {
    services: `service_prefix "${prefix}-" { policy = "read" } node_prefix "" { policy = "read" }`,
    keys: `key_prefix "${prefix}/nodes/" { policy = "read" }
      key "${prefix}/leader/coordinator" { policy = "read" } key "${prefix}/leader/overlord" { policy = "read" }`,
  };
}

/** A real agent of Consul as a source, by a link of its own, with a prefix of its own and the least rights. */
export async function startConsulAgentRig(agent: ConsulAgent): Promise<ConsulRig> {
  const prefix = `druid-suite-${rigs++}`;
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-consul-'));
  const proxy = await startProxy(agent.port);
  const leaderKeys = { coordinator: `${prefix}/leader/coordinator`, overlord: `${prefix}/leader/overlord` };
  const rights = rightsOf(prefix);
  const tokenWith = (wanted: readonly ('services' | 'keys')[]): Promise<string> =>
    agent.tokenWith(wanted.map((right) => rights[right]).join('\n'));
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, await tokenWith(['services', 'keys']));
  const target = { server: `http://127.0.0.1:${proxy.port}`, tokenFile, caFile: null };
  return {
    ...sourceOf(agent, prefix, leaderKeys, target),
    prefix,
    leaderKeys,
    writer: agent,
    target,
    token: async (wanted) =>
      wanted === 'nobody' ? '00000000-0000-4000-8000-0000000000ff' : tokenWith(wanted),
    async lose() {
      await agent.down();
      await agent.up();
      await writeFile(tokenFile, await tokenWith(['services', 'keys']));
    },
    cut: () => proxy.cut(),
    async stop() {
      proxy.drop(true);
      proxy.cut();
    },
    async start() {
      proxy.drop(false);
    },
    // Consul holds a question to its end, although nobody waits for the answer any more.
    held: () => settled(() => proxy.clients),
    asked: () => proxy.made,
    async close() {
      await proxy.close();
      await rm(folder, { recursive: true });
    },
  };
}
