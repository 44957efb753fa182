import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rendezvous } from '../../src/routing/jdbc/rendezvous.ts';
import { startTraffic } from '../kit/clients/traffic.ts';
import {
  HAS_HAPROXY,
  type SeveralGateways,
  startSeveralGateways,
  TOO_LATE,
} from '../kit/gateway/behind-haproxy.ts';
import type { GatewayStatus } from '../kit/gateway/gateway-process.ts';
import { type DruidLikeCluster, startDruidLike } from '../kit/upstream/druid-like.ts';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';
import { eventually, pause } from './scene.ts';

const BROKERS = 3;
const CONNECTIONS = 60;
const CANCELS = 100;
/** Of these, so many while a Broker is gone. */
const CANCELS_WITHOUT = 10;
const ROWS = 200;
/** Most requests of one gateway at a Broker. */
const PER_NODE = 10;

let ensemble: Ensemble;
let cluster: DruidLikeCluster;
let several: SeveralGateways;

beforeAll(async () => {
  if (!HAS_HAPROXY) return;
  ensemble = await startEnsemble({ servers: 1 });
  cluster = await startDruidLike({
    zookeeper: ensemble.connect,
    roles: Array<'broker'>(BROKERS).fill('broker'),
  });
  several = await startSeveralGateways(
    {
      ZOOKEEPER__SESSION_TIMEOUT: '3s',
      UPSTREAM__MAX_REQUESTS_PER_NODE: String(PER_NODE),
      LIMITS__QUEUE__MAX_WAIT: '1s',
    },
    '--zookeeper',
    ensemble.connect,
  );
  await areReady(BROKERS);
});
afterAll(async () => {
  await several?.close();
  await cluster?.close();
  await ensemble?.close();
});

async function areReady(count: number): Promise<void> {
  const hasAll = ({ brokers }: GatewayStatus): boolean =>
    brokers.filter(({ ready }) => ready).length === count;
  await Promise.all(several.gateways.map((gateway) => gateway.until(hasAll)));
}

const sql = (context: object = {}, url = several.url, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/druid/v2/sql`, {
    ...(signal === undefined ? {} : { signal }),
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'SELECT 1', context }),
  });

/** Connections of JDBC that are used all the time, and opened again when no Broker has them, as the driver does. */
function useConnections() {
  /** By id, what the answers were that were none of a connection that is there. */
  const faults = new Map<string, string[]>();
  const stopped = { yes: false };
  let rounds = 0;

  async function ask(request: string, connectionId: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${several.url}/druid/v2/sql/avatica/`, {
      method: 'POST',
      body: JSON.stringify({ request, connectionId, ...(request === 'openConnection' ? { info: {} } : {}) }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  async function use(id: string): Promise<void> {
    while (!stopped.yes) {
      const { status, text } = await ask('createStatement', id);
      if (status === 200) rounds++;
      else {
        const missing = text.includes('"errorCode":1');
        faults.set(id, [...(faults.get(id) ?? []), missing ? 'missing' : `${status} ${text}`]);
        if (missing) await ask('openConnection', id);
      }
      await pause(100 + Math.random() * 100);
    }
  }

  const ids = Array.from({ length: CONNECTIONS }, (): string => crypto.randomUUID());
  const opened = Promise.all(
    ids.map(async (id) => expect((await ask('openConnection', id)).status).toBe(200)),
  );
  const using = opened.then(() => Promise.all(ids.map(use)));
  return {
    ids,
    faults,
    opened,
    /** Waits until each has been used some times more. */
    async used(): Promise<void> {
      const enough = rounds + 5 * CONNECTIONS;
      await eventually(() => rounds > enough);
    },
    async stop(): Promise<void> {
      stopped.yes = true;
      await using;
    },
  };
}

interface Cancelled {
  /** The gateway that had the query, and the one that had the cancel. */
  readonly gateways: readonly [query: string | null, cancel: string | null];
  readonly status: number;
  /** The query ended by it. */
  readonly early: boolean;
}

/** Starts a query of 20 s, and cancels it by another request. */
async function cancelled(): Promise<Cancelled> {
  const sqlQueryId = crypto.randomUUID();
  const answer = await sql({ sqlQueryId, rows: ROWS, everyMs: 100 });
  const cancel = await fetch(`${several.url}/druid/v2/sql/${sqlQueryId}`, { method: 'DELETE' });
  const rows = JSON.parse(await answer.text()) as unknown[];
  const gateways = [answer.headers.get('x-gateway'), cancel.headers.get('x-gateway')] as const;
  return { gateways, status: cancel.status, early: rows.length < ROWS };
}

/** So many, a few at a time. */
async function cancelMany(count: number): Promise<Cancelled[]> {
  const done: Cancelled[] = [];
  while (done.length < count) {
    done.push(...(await Promise.all(Array.from({ length: Math.min(2, count - done.length) }, cancelled))));
    await pause(200);
  }
  return done;
}

describe.runIf(HAS_HAPROXY)('three gateways behind HAProxy', () => {
  test('restarted one after the other, and a Broker lost and back: nobody notices but its connections', async () => {
    const queries = startTraffic({ read: () => sql(), readsPerSecond: 40 });
    const jdbc = useConnections();
    await jdbc.opened;
    const names = cluster.nodes.map(({ hostAndPort }) => hostAndPort);
    const [, victim] = cluster.nodes;
    if (victim === undefined) throw new Error('there is no Broker to lose');
    const atVictim = jdbc.ids.filter((id) => rendezvous(id, names)[0] === victim.hostAndPort);
    expect(atVictim.length).toBeGreaterThan(5);

    // During each restart, at gateways of which most do not know what runs.
    const cancels: Cancelled[] = [];
    async function restart(index: number): Promise<void> {
      const many = cancelMany((CANCELS - CANCELS_WITHOUT) / 3);
      const [reason] = await Promise.all([several.restart(index), many]);
      cancels.push(...(await many));
      // Found out before the listener closed.
      expect(reason).not.toBe(TOO_LATE);
      await jdbc.used();
    }

    await restart(0);
    expect([...jdbc.faults]).toEqual([]);
    await victim.kill('SIGKILL');
    // The Broker is still announced.
    cancels.push(...(await cancelMany(CANCELS_WITHOUT)));
    // Each has been opened again, at another Broker.
    await eventually(() => atVictim.every((id) => jdbc.faults.get(id)?.includes('missing') === true));
    await jdbc.used();
    const lost = new Map([...jdbc.faults].map(([id, faults]) => [id, [...faults]]));
    expect([...lost.keys()].filter((id) => !atVictim.includes(id))).toEqual([]);
    await victim.start();
    await areReady(BROKERS);
    // These gateways know nothing of the connections, and the Broker is back that by hash has those that it lost.
    await restart(1);
    await restart(2);
    await jdbc.stop();
    await queries.stop();

    expect(Object.fromEntries(jdbc.faults)).toEqual(Object.fromEntries(lost));
    for (const faults of lost.values()) expect(faults.filter((fault) => fault === 'missing').length).toBe(1);
    expect(queries.failedReads).toEqual([]);
    expect(queries.reads).toBeGreaterThan(500);
    expect(cancels.filter(({ status, early }) => status !== 202 || !early)).toEqual([]);
    expect(cancels.length).toBe(CANCELS);
    const elsewhere = cancels.filter(({ gateways: [query, cancel] }) => query !== cancel);
    expect(elsewhere.length).toBeGreaterThan(CANCELS / 4);
  });

  test('have limits of their own: a Broker gets what all of them allow together', async () => {
    const leave = new AbortController();
    const long = (url: string): Promise<Response> => sql({ rows: ROWS, everyMs: 100 }, url, leave.signal);
    const full = several.gateways.flatMap(({ url }) =>
      Array.from({ length: BROKERS * PER_NODE }, () => long(url)),
    );
    expect(new Set((await Promise.all(full)).map(({ status }) => status))).toEqual(new Set([200]));
    const refused = await Promise.all(several.gateways.map(({ url }) => sql({}, url)));
    for (const answer of refused) {
      expect([answer.status, await answer.json()]).toMatchObject([503, { errorCode: 'overloaded' }]);
    }
    leave.abort();
  });
});
