import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DruidLike } from '../kit/upstream/druid-like.ts';
import { pause, type Scene, stage } from './scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({
    roles: ['broker', 'broker', 'broker', 'broker'],
    keys: { HEALTH__SLOW_START: '1s', HEALTH__OUTLIER__EJECTION: '1s' },
  });
});
beforeEach(async () => {
  await scene.gateway.until(({ brokers }) => brokers.filter(({ ready }) => ready).length === 4);
});
afterAll(() => scene.close());

const ROWS = 200;

/** A query whose answer takes 20 s; how it ended for its client. */
async function stream(): Promise<'whole' | 'visibly cut' | 'cut unseen'> {
  try {
    const answer = await scene.query({ rows: ROWS, everyMs: 100 });
    const text = await answer.text();
    if (answer.status !== 200) return 'visibly cut';
    return (JSON.parse(text) as unknown[]).length === ROWS ? 'whole' : 'cut unseen';
  } catch (error) {
    return error instanceof SyntaxError ? 'cut unseen' : 'visibly cut';
  }
}

async function avatica(request: string, connectionId: string): Promise<boolean> {
  const answer = await fetch(`${scene.gateway.url}/druid/v2/sql/avatica/`, {
    method: 'POST',
    body: JSON.stringify({ request, connectionId }),
  });
  await answer.text();
  return answer.status === 200;
}

/** Opens a connection of JDBC, fetches for so long, closes it; false as soon as anything is not answered well. */
async function connection(ms: number): Promise<boolean> {
  const id = crypto.randomUUID();
  const end = performance.now() + ms;
  if (!(await avatica('openConnection', id))) return false;
  while (performance.now() < end) {
    if (!(await avatica('fetch', id))) return false;
    await pause(50);
  }
  return avatica('closeConnection', id);
}

/** Starts a query, cancels it, and sees that it ends by that. */
async function cancelled(): Promise<boolean> {
  const sqlQueryId = crypto.randomUUID();
  const answer = await scene.query({ sqlQueryId, rows: ROWS, everyMs: 100 });
  const cancel = await fetch(`${scene.gateway.url}/druid/v2/sql/${sqlQueryId}`, { method: 'DELETE' });
  const rows = JSON.parse(await answer.text()) as unknown[];
  return cancel.status === 202 && rows.length < ROWS;
}

interface Outcomes {
  readonly streams: Awaited<ReturnType<typeof stream>>[];
  readonly connections: boolean[];
  readonly cancels: boolean[];
}

interface Load {
  /** Waits for the connections of JDBC that are open now. */
  connectionsClosed(): Promise<void>;
  /** Begins no more streams, of which the last takes as long as one takes. */
  noMoreStreams(): void;
  /** Begins nothing more, and waits for all. */
  stop(): Promise<Outcomes>;
}

/** All of these, begun again and again. */
function startLoad(): Load {
  const streams: ReturnType<typeof stream>[] = [];
  const connections: Promise<boolean>[] = [];
  const cancels: Promise<boolean>[] = [];
  const begin = setInterval(() => {
    connections.push(connection(2_000).catch(() => false));
    cancels.push(cancelled().catch(() => false));
  }, 250);
  const beginStream = setInterval(() => streams.push(stream()), 500);
  return {
    connectionsClosed: async () => void (await Promise.all(connections)),
    noMoreStreams: () => clearInterval(beginStream),
    async stop() {
      clearInterval(begin);
      clearInterval(beginStream);
      return {
        streams: await Promise.all(streams),
        connections: await Promise.all(connections),
        cancels: await Promise.all(cancels),
      };
    },
  };
}

async function restart(broker: DruidLike): Promise<void> {
  await broker.start();
  await scene.gateway.until(({ brokers }) =>
    brokers.some(({ node, ready }) => node === broker.hostAndPort && ready),
  );
}

describe('four Brokers are restarted one after the other under queries of 20 s, JDBC and cancels', () => {
  test('drained before: nothing fails', async () => {
    const post = (broker: DruidLike, action: string): Promise<Response> =>
      fetch(`${scene.gateway.admin}/brokers/${broker.hostAndPort}/${action}`, { method: 'POST' });
    const load = startLoad();
    await pause(5_000);
    for (const broker of scene.cluster.nodes) {
      if (broker === scene.cluster.nodes.at(-1)) load.noMoreStreams();
      expect((await post(broker, 'cordon')).status).toBe(200);
      // Its connections of JDBC may be between two requests.
      await load.connectionsClosed();
      expect(await (await post(broker, 'drain?timeout=90s')).json()).toMatchObject({ drained: true });
      await broker.kill('SIGTERM');
      await broker.start();
      expect((await post(broker, 'return')).status).toBe(200);
      await scene.gateway.until(({ brokers }) =>
        brokers.some(({ node, ready }) => node === broker.hostAndPort && ready),
      );
    }
    const { streams, connections, cancels } = await load.stop();
    expect(streams.filter((outcome) => outcome !== 'whole')).toEqual([]);
    expect(streams.length).toBeGreaterThan(100);
    expect(connections.filter((ok) => !ok)).toEqual([]);
    expect(cancels.filter((ok) => !ok)).toEqual([]);
  }, 600_000);

  test('killed: every answer that is cut is a visible error, and nobody else notices', async () => {
    const short = scene.traffic('broker', 50);
    const load = startLoad();
    await pause(10_000);
    for (const broker of scene.cluster.nodes) {
      await broker.kill('SIGKILL');
      await pause(500);
      await restart(broker);
    }
    load.noMoreStreams();
    await short.succeeded(100);
    await short.stop();
    const { streams } = await load.stop();
    expect(short.failedReads).toEqual([]);
    expect(streams.filter((outcome) => outcome === 'cut unseen')).toEqual([]);
    expect(streams.filter((outcome) => outcome === 'visibly cut').length).toBeGreaterThan(3);
  }, 300_000);
});
