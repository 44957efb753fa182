import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MasterRole } from '../../src/discovery/discovery.ts';
import { startTraffic, type Traffic } from '../kit/clients/traffic.ts';
import { gatewayForDruidWith, masters, nodes, restart } from '../kit/druid/druid.ts';
import { type GatewayStatus, isWhole, type RunningGateway } from '../kit/gateway/gateway-process.ts';

let gateway: RunningGateway;
/** Names of what was written, unique over all tests of this run. */
let writes = 0;

beforeAll(async () => {
  // As many as come in the 40 s that one may wait: on a slow machine the next leader takes its time.
  gateway = await gatewayForDruidWith({
    PARKING__MAX_REQUESTS: '5000',
  });
  await gateway.until(isWhole);
});

afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

const READS: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1/datasources',
  overlord: '/druid/indexer/v1/tasks',
};

function read(role: MasterRole): Promise<Response> {
  return fetch(gateway.url + READS[role], { redirect: 'manual' });
}

/** Something that leaves a trace for each time that it is carried out. */
function write(role: MasterRole): { readonly name: string; readonly sent: Promise<Response> } {
  const name = `write-${role}-${writes++}`;
  const [path, body] =
    role === 'coordinator'
      ? ['/druid/coordinator/v1/config', { maxSegmentsToMove: writes }]
      : ['/druid/indexer/v1/task', { type: 'noop', groupId: name, runTime: 1 }];
  const sent = fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-druid-comment': name },
    body: JSON.stringify(body),
    redirect: 'manual',
  });
  return { name, sent };
}

/** How often each write was carried out, by Druid's own books. */
async function carriedOut(role: MasterRole): Promise<Map<string, number>> {
  const path =
    role === 'coordinator' ? '/druid/coordinator/v1/config/history?count=10000' : '/druid/indexer/v1/tasks';
  const entries = (await (await fetch(gateway.url + path)).json()) as {
    /** Of a task: the Overlord gives each delivery one of its own. */
    id?: string;
    groupId?: string;
    auditInfo?: { comment: string };
  }[];
  const counts = new Map<string, number>();
  const listed = new Set<string>();
  for (const { id, groupId, auditInfo } of entries) {
    // A task that ends while the list is made stands in it twice: as running and as complete.
    if (id !== undefined && listed.has(id)) continue;
    if (id !== undefined) listed.add(id);
    const name = auditInfo?.comment ?? groupId ?? '';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

async function checkWrites(role: MasterRole, traffic: Traffic): Promise<void> {
  const counts = await carriedOut(role);
  for (const { name, status } of traffic.writes) {
    const count = counts.get(name) ?? 0;
    expect([name, count]).toEqual([name, status === 200 ? 1 : Math.min(count, 1)]);
    // What is not 200 says that its fate is unknown.
    expect([200, 502, 503]).toContain(status);
  }
}

const leads = (role: MasterRole, port: number) => (status: GatewayStatus) =>
  status.leaders[role].state === 'serving' && status.leaders[role].node === `127.0.0.1:${port}`;

describe.each(['coordinator', 'overlord'] as const)('the leading %s', (role) => {
  test.each([
    ['SIGTERM', 1],
    ['SIGKILL', 3],
  ] as const)(
    'ends by %s under 100 reads and 5 writes a second, %i times: no read fails, no write is carried out twice',
    async (signal, times) => {
      for (let i = 0; i < times; i++) {
        const { leader, other } = await masters(role);
        await gateway.until(leads(role, leader.port));
        const traffic = startTraffic({
          read: () => read(role),
          write: () => write(role),
          readsPerSecond: 100,
          writesPerSecond: 5,
        });
        await traffic.succeeded(50);
        process.kill(leader.pid, signal);
        await gateway.until(leads(role, other.port));
        const before = traffic.writes.length;
        await traffic.succeeded(100);
        await traffic.stop();
        // First of all, so that the tests after this one find a whole cluster whatever comes of it.
        await restart(leader.name);
        expect(traffic.failedReads).toEqual([]);
        expect(traffic.reads).toBeGreaterThan(150);
        await checkWrites(role, traffic);
        // Everything sent after the new leader served has succeeded.
        for (const { status } of traffic.writes.slice(before + 5)) expect(status).toBe(200);
      }
    },
    400_000,
  );

  test('freezes: new requests go to the next leader, and the thawed one gets none', async () => {
    const { leader, other } = await masters(role);
    await gateway.until(leads(role, leader.port));
    process.kill(leader.pid, 'SIGSTOP');
    try {
      // Sent before anybody can know: it hangs on the frozen node, and that is its own affair.
      const hanging = read(role);
      await gateway.until(leads(role, other.port));
      const began = performance.now();
      expect((await read(role)).status).toBe(200);
      // Not held up: the one before hangs for as long as the node is frozen.
      expect(performance.now() - began).toBeLessThan(5_000);
      const traffic = startTraffic({
        read: () => read(role),
        write: () => write(role),
        readsPerSecond: 40,
        writesPerSecond: 5,
      });
      await traffic.succeeded(20);
      process.kill(leader.pid, 'SIGCONT');
      await traffic.succeeded(80);
      await traffic.stop();
      expect(traffic.failedReads).toEqual([]);
      await checkWrites(role, traffic);
      expect((await hanging).status).toBe(200);
    } finally {
      process.kill(leader.pid, 'SIGCONT');
    }
  });
});

test('a Broker that is gone takes no query with it, and is used again when it is back', async () => {
  const broker = (await nodes()).find(({ role }) => role === 'broker');
  if (broker === undefined) throw new Error('there is no Broker');
  const query = (): Promise<Response> =>
    fetch(`${gateway.url}/druid/v2/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'SELECT 1' }),
    });
  const traffic = startTraffic({ read: query, readsPerSecond: 40 });
  await traffic.succeeded(20);
  process.kill(broker.pid, 'SIGKILL');
  await gateway.until((status) => status.brokers.filter(({ ready }) => ready).length === 1);
  await traffic.succeeded(40);
  await restart(broker.name);
  await gateway.until(isWhole);
  await traffic.succeeded(40);
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
});
