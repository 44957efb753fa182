import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTraffic } from '../kit/clients/traffic.ts';
import { nodes, restart, zookeeper } from '../kit/druid/druid.ts';
import { startJdbc } from '../kit/druid/jdbc.ts';
import { eventually } from '../kit/eventually.ts';
import { HAS_HAPROXY, type SeveralGateways, startSeveralGateways } from '../kit/gateway/behind-haproxy.ts';
import { isWhole } from '../kit/gateway/gateway-process.ts';

const DIGITS = '(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))';
/** 100 million rows, which take Druid a minute. */
const LONG = `SELECT a.n FROM ${[...'abcdefgh'].map((name) => `${DIGITS} ${name}(n)`).join(' CROSS JOIN ')}`;
const FORMATS = ['json', 'protobuf'] as const;
const CONNECTIONS = 30;

let several: SeveralGateways;

beforeAll(async () => {
  if (!HAS_HAPROXY) return;
  several = await startSeveralGateways({}, '--zookeeper', await zookeeper());
  await areWhole();
});
afterAll(() => several?.close());

const areWhole = (): Promise<unknown> =>
  Promise.all(several.gateways.map((gateway) => gateway.until(isWhole)));

function sql(query: string, context: object = {}): Promise<Response> {
  return fetch(`${several.url}/druid/v2/sql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, context }),
  });
}

/** Starts a long query, cancels it by another request, and tells its status. */
async function cancelled(): Promise<number> {
  const sqlQueryId = crypto.randomUUID();
  // Druid goes on with it as long as somebody reads it, and nobody does.
  const answer = await sql(LONG, { sqlQueryId });
  const cancel = await fetch(`${several.url}/druid/v2/sql/${sqlQueryId}`, { method: 'DELETE' });
  await answer.body?.cancel();
  return cancel.status;
}

async function cancelSome(): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < 2; i++) statuses.push(await cancelled());
  return statuses;
}

describe.runIf(HAS_HAPROXY)('three gateways behind HAProxy, before a real Druid', () => {
  test('restarted one after the other, and a Broker lost and back: nobody notices but its connections', async () => {
    const queries = startTraffic({ read: () => sql('SELECT 1'), readsPerSecond: 10 });
    const clients = await Promise.all(
      FORMATS.map((format) => startJdbc(several.url, format, CONNECTIONS / FORMATS.length)),
    );
    const statuses: number[] = [];
    async function restartGateway(index: number): Promise<void> {
      const [, some] = await Promise.all([several.restart(index), cancelSome()]);
      statuses.push(...some);
    }

    await restartGateway(0);
    const victim = (await nodes()).findLast(({ role }) => role === 'broker');
    if (victim === undefined) throw new Error('there is no Broker to lose');
    process.kill(victim.pid, 'SIGKILL');
    await eventually(
      async () => (await several.gateways[0]?.status())?.brokers.every(({ ready }) => !ready) === false,
    );
    await Promise.all([restart(victim.name), restartGateway(1)]);
    await areWhole();
    // By hash this one has connections at the Broker that is back, and does not know where they are.
    await restartGateway(2);
    const outcomes = await Promise.all(clients.map((client) => client.stop()));
    await queries.stop();

    expect(queries.failedReads).toEqual([]);
    expect(new Set(statuses)).toEqual(new Set([202]));
    for (const { broken, hit, again, errors } of outcomes) {
      expect([broken, again, errors]).toEqual([0, 0, expect.anything()]);
      expect(hit).toBeLessThan(CONNECTIONS / FORMATS.length);
    }
  }, 200_000);
});
