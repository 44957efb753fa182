import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DruidLike } from '../support/druid-like.ts';
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

const ROWS = 600;

/** A query whose answer takes 60 s; how it ended for its client. */
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

/** All of these, begun again and again until `done`. */
async function load(
  done: () => boolean,
): Promise<{ streams: string[]; connections: boolean[]; cancels: boolean[] }> {
  const streams: Promise<string>[] = [];
  const connections: Promise<boolean>[] = [];
  const cancels: Promise<boolean>[] = [];
  while (!done()) {
    if (streams.length < 40) streams.push(stream());
    connections.push(connection(2_000));
    cancels.push(cancelled().catch(() => false));
    await pause(250);
  }
  return {
    streams: await Promise.all(streams),
    connections: await Promise.all(connections.map((each) => each.catch(() => false))),
    cancels: await Promise.all(cancels),
  };
}

async function restart(broker: DruidLike): Promise<void> {
  await broker.kill('SIGTERM');
  await broker.start();
  await scene.gateway.until(({ brokers }) =>
    brokers.some(({ node, ready }) => node === broker.hostAndPort && ready),
  );
}

async function rolling(each: (broker: DruidLike) => Promise<void>): ReturnType<typeof load> {
  let done = false;
  const outcomes = load(() => done);
  await pause(1_000);
  for (const broker of scene.cluster.nodes) await each(broker);
  await pause(1_000);
  done = true;
  return outcomes;
}

describe('four Brokers are restarted one after the other under queries of 60 s, JDBC and cancels', () => {
  test('drained before: nothing fails', async () => {
    const post = (broker: DruidLike, action: string): Promise<Response> =>
      fetch(`${scene.gateway.admin}/brokers/${broker.hostAndPort}/${action}`, { method: 'POST' });
    const { streams, connections, cancels } = await rolling(async (broker) => {
      expect((await post(broker, 'drain?timeout=90s')).status).toBe(200);
      // The connections of JDBC that it has are between two requests; they end within two seconds.
      await pause(2_500);
      expect(await (await post(broker, 'drain?timeout=90s')).json()).toMatchObject({ drained: true });
      const down = broker.kill('SIGTERM');
      await down;
      await broker.start();
      expect((await post(broker, 'return')).status).toBe(200);
      await scene.gateway.until(({ brokers }) =>
        brokers.some(({ node, ready }) => node === broker.hostAndPort && ready),
      );
    });
    expect(streams.filter((outcome) => outcome !== 'whole')).toEqual([]);
    expect(streams.length).toBeGreaterThan(20);
    expect(connections.filter((ok) => !ok)).toEqual([]);
    expect(cancels.filter((ok) => !ok)).toEqual([]);
  }, 600_000);

  test('killed: every answer that is cut is a visible error, and nobody else notices', async () => {
    const short = scene.traffic('broker', 50);
    const { streams } = await rolling(async (broker) => {
      await broker.kill('SIGKILL');
      await pause(500);
      await restart(broker);
    });
    await short.stop();
    expect(short.failedReads).toEqual([]);
    expect(streams.filter((outcome) => outcome === 'cut unseen')).toEqual([]);
    expect(streams.filter((outcome) => outcome === 'visibly cut').length).toBeGreaterThan(0);
  }, 300_000);
});
