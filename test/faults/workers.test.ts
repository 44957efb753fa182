import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTraffic, type Traffic } from '../kit/clients/traffic.ts';
import { pause, type Scene, stage } from './scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({
    roles: ['masters', 'masters', 'broker', 'broker', 'broker'],
    keys: { WORKERS: '2', HEALTH__SLOW_START: '0' },
  });
});
afterAll(() => scene.close());

const ready = (count: number) =>
  scene.gateway.until(({ brokers }) => brokers.filter((broker) => broker.ready).length === count);
const served = (node: string | undefined) =>
  scene.gateway.until(({ leaders: { coordinator, overlord } }) =>
    [coordinator, overlord].every((leader) => leader.state === 'serving' && leader.node === node),
  );

/** On a connection of its own, so that either worker may get it. */
function ask(path: string, body?: object): Promise<Response> {
  return fetch(scene.gateway.url + path, {
    headers: { connection: 'close', 'content-type': 'application/json' },
    redirect: 'manual',
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
}

test('both workers and the primary have one session with ZooKeeper', async () => {
  const [server] = scene.ensemble.servers;
  // Of all connections those with a session, when nobody of the scene comes or goes any more.
  const sessions = async (): Promise<number> => {
    let last = -1;
    for (let same = 0; same < 5; ) {
      const now = (await server?.ask('cons'))?.match(/\bsid=0x/g)?.length ?? 0;
      same = now === last ? same + 1 : 0;
      last = now;
      await pause(200);
    }
    return last;
  };
  await ready(3);
  const another = await scene.startGateway();
  await another.until(
    ({ discovery, workers = [] }) => discovery.state === 'connected' && workers.length === 2,
  );
  const together = await sessions();
  expect(await another.stop()).toBe(0);
  expect(await sessions()).toBe(together - 1);
});

test('a leader is killed: neither worker fails a read, and no write is lost or done twice', async () => {
  const [first, second] = scene.cluster.of('masters');
  await served(first?.hostAndPort);
  let names = 0;
  const traffic: Traffic = startTraffic({
    read: () => ask('/druid/coordinator/v1/datasources'),
    readsPerSecond: 60,
    write() {
      const name = `workers-${names++}`;
      return { name, sent: ask('/druid/indexer/v1/task', { groupId: name }) };
    },
    writesPerSecond: 10,
  });
  await traffic.succeeded(100);
  await first?.kill('SIGKILL');
  await served(second?.hostAndPort);
  await traffic.succeeded(100);
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
  expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
});

test('a JDBC connection keeps its Broker while the pool grows, whichever worker its requests reach', async () => {
  const avatica = async (request: string, connectionId: string): Promise<number> => {
    const answer = await ask('/druid/v2/sql/avatica/', { request, connectionId });
    await answer.text();
    return answer.status;
  };
  const [, , third] = scene.cluster.of('broker');
  await ready(3);
  await third?.kill('SIGTERM');
  await ready(2);
  const ids = Array.from({ length: 60 }, () => crypto.randomUUID());
  for (const id of ids) expect(await avatica('openConnection', id)).toBe(200);
  await third?.start();
  await ready(3);
  const statuses: number[] = [];
  for (let round = 0; round < 3; round++) for (const id of ids) statuses.push(await avatica('fetch', id));
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
});

test('a Broker that is killed costs no query', async () => {
  await ready(3);
  const traffic = startTraffic({
    read: () => ask('/druid/v2/sql', { query: 'SELECT 1' }),
    readsPerSecond: 60,
  });
  await traffic.succeeded(50);
  const [first] = scene.cluster.of('broker');
  await first?.kill('SIGKILL');
  await ready(2);
  await traffic.succeeded(50);
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
});
