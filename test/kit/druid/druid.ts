import { inject } from 'vitest';
import type { MasterRole } from '../../../src/discovery/discovery.ts';
import { type RunningGateway, startGatewayWith } from '../gateway/gateway-process.ts';
import type { NodeInfo } from './druid-setup.ts';

const LEADER_PATHS = {
  coordinator: '/druid/coordinator/v1/leader',
  overlord: '/druid/indexer/v1/leader',
} as const;

/** The nodes of the shared cluster. */
export async function nodes(): Promise<NodeInfo[]> {
  return JSON.parse(await order('GET', '')) as NodeInfo[];
}

async function order(method: string, what: string): Promise<string> {
  const response = await fetch(`${inject('druid').control}/${what}`, { method });
  const text = await response.text();
  if (response.status !== 200) throw new Error(text);
  return text;
}

/** Where the shared cluster's ZooKeeper is, as Druid's properties have it. */
export function zookeeper(): Promise<string> {
  return order('GET', 'zookeeper');
}

/** Starts a node again that has ended; resolves when it is healthy. */
export async function restart(name: string): Promise<void> {
  await order('POST', name);
}

/** Starts another Broker, of another `druid.service` if one is given; resolves when it is healthy. */
export async function addBroker(service?: string): Promise<NodeInfo> {
  const query = service === undefined ? '' : `?service=${encodeURIComponent(service)}`;
  const added = (JSON.parse(await order('PUT', `broker${query}`)) as NodeInfo[]).at(-1);
  if (added === undefined) throw new Error('there are no nodes');
  return added;
}

/** Ends a node for good. */
export async function remove(name: string): Promise<void> {
  await order('DELETE', name);
}

/** Who leads by Druid's own word, and who stands by; asks the nodes themselves and not the gateway. */
export async function masters(role: MasterRole): Promise<{ leader: NodeInfo; other: NodeInfo }> {
  const both = (await nodes()).filter((node) => node.role === role);
  for (;;) {
    for (const node of both) {
      const named = await text(`http://127.0.0.1:${node.port}${LEADER_PATHS[role]}`);
      const leader = both.find(({ port }) => named === `http://127.0.0.1:${port}`);
      const other = both.find((candidate) => candidate !== leader);
      if (leader !== undefined && other !== undefined) return { leader, other };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function text(url: string): Promise<string> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(2_000) });
    return (await response.text()).trim();
  } catch {
    return '';
  }
}

/** The built program in front of the shared cluster. */
export function gatewayForDruid(...args: string[]): Promise<RunningGateway> {
  return gatewayForDruidWith({}, ...args);
}

/** The same with keys of the configuration, see `startGatewayWith`. */
export async function gatewayForDruidWith(
  keys: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<RunningGateway> {
  return startGatewayWith(keys, '--zookeeper', await order('GET', 'zookeeper'), ...args);
}
