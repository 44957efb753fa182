import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exchangeRaw, type RawAnswer } from '../kit/clients/raw-client.ts';
import { SPELLINGS } from '../kit/clients/spellings.ts';
import { gatewayForDruid, masters, nodes, zookeeper } from '../kit/druid/druid.ts';
import { isWhole, type RunningGateway } from '../kit/gateway/gateway-process.ts';
import { connectWriter } from '../kit/zookeeper/zookeeper-writer.ts';

let gateway: RunningGateway;
let gatewayPort: number;
let coordinator: number;
let overlord: number;
let broker: number;

beforeAll(async () => {
  gateway = await gatewayForDruid();
  await gateway.until(isWhole);
  gatewayPort = Number(new URL(gateway.url).port);
  coordinator = (await masters('coordinator')).leader.port;
  overlord = (await masters('overlord')).leader.port;
  broker = (await nodes()).find(({ role }) => role === 'broker')?.port ?? 0;
});

afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

/** As it is written: `fetch` would change some of these targets. */
function ask(port: number, method: string, target: string, body?: unknown): Promise<RawAnswer> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const framing =
    body === undefined
      ? ''
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  return exchangeRaw(
    port,
    `${method} ${target} HTTP/1.1\r\nHost: druid\r\n${framing}Connection: close\r\n\r\n${text}`,
  );
}

const said = ({ status, body }: RawAnswer): [number, string] => [status, body.toString()];

const NAMES = [
  'a/b',
  'CORP\\jdoe',
  'a;b',
  '100%',
  '%2F',
  '%0A',
  'a b',
  'a?b#c',
  'дашборд 7',
  '日本／語',
  'action/x',
];

describe('a name with a separator in it is the same to Druid through the gateway as without it', () => {
  test.each(NAMES)('%j as a lookup that is made, found and removed', async (name) => {
    await ask(coordinator, 'POST', '/druid/coordinator/v1/lookups/config', {});
    const target = `/druid/coordinator/v1/lookups/config/__default/${encodeURIComponent(name)}`;
    const lookup = { version: 'v1', lookupExtractorFactory: { type: 'map', map: { a: 'b' } } };
    expect((await ask(gatewayPort, 'POST', target, lookup)).status).toBe(202);
    const list = '/druid/coordinator/v1/lookups/config/__default';
    expect((await ask(coordinator, 'GET', list)).json()).toContain(name);
    expect(said(await ask(gatewayPort, 'GET', target))).toEqual(said(await ask(coordinator, 'GET', target)));
    expect((await ask(gatewayPort, 'DELETE', target)).status).toBe(202);
    expect((await ask(coordinator, 'GET', list)).json()).not.toContain(name);
  });

  test.each(NAMES)('%j as an id of a task, a supervisor, a datasource and a query', async (name) => {
    const id = encodeURIComponent(name);
    for (const [method, target, port] of [
      // A task's id may not have a slash, which the Overlord says itself (`IdUtils.validateId`).
      ['GET', `/druid/indexer/v1/task/${id}/status`, overlord],
      ['GET', `/druid/indexer/v1/supervisor/${id}/status`, overlord],
      ['GET', `/druid/coordinator/v1/rules/${id}`, coordinator],
      ['GET', `/druid/coordinator/v1/datasources/${id}`, coordinator],
      ['GET', `/druid/v2/datasources/${id}`, broker],
      ['GET', `/proxy/overlord/druid/indexer/v1/supervisor/${id}`, overlord],
    ] as const) {
      const direct = await ask(port, method, target.replace('/proxy/overlord', ''));
      expect([target, said(await ask(gatewayPort, method, target))]).toEqual([target, said(direct)]);
    }
    expect((await ask(gatewayPort, 'DELETE', `/druid/v2/${id}`)).status).toBe(202);
    expect((await ask(gatewayPort, 'DELETE', `/druid/v2/sql/${id}`)).status).toBe(404);
  });
});

describe('what is denied reaches no real master, in whatever way it is written', () => {
  test.each(Object.entries(SPELLINGS))('%s', async (_, spell) => {
    const targets = [
      `/druid/indexer/v1/${spell('action')}`,
      `/druid/indexer/${spell('v1')}/action`,
      `/proxy/overlord/druid/indexer/v1/${spell('action')}`,
      `/proxy/coordinator/${spell('druid-internal')}/v1/segments`,
      `/druid/coordinator/v1/${spell('cluster')}/nobody`,
    ];
    for (const target of targets) {
      for (const method of ['GET', 'POST'] as const) {
        const answer = await ask(gatewayPort, method, target, method === 'POST' ? {} : undefined);
        // By the gateway itself, and not by the node.
        expect([target, answer.status]).toEqual([
          target,
          expect.toSatisfy((s: number) => s === 400 || s === 404),
        ]);
        expect(answer.json()).toMatchObject({
          context: {
            reason: expect.stringMatching(
              /^(?:path_denied|path_unknown|target_malformed|request_malformed)$/,
            ),
          },
        });
      }
    }
  });

  test('although a real Overlord takes some of the spellings for the path itself', async () => {
    const taken: string[] = [];
    for (const [name, spell] of Object.entries(SPELLINGS)) {
      const { status } = await ask(overlord, 'POST', `/druid/indexer/v1/${spell('action')}`, {});
      // A 400 is Jetty's, about the target.
      if (status !== 404 && status !== 400) taken.push(name);
    }
    expect(taken).toContain('a parameter');
  });
});

/** On Druid 33 it is answered `[]` for every role, and leaves an empty znode behind for each name asked for. */
test('no role can be asked for by its name, and no znode is left behind', async () => {
  const writer = await connectWriter(await zookeeper());
  const children = (): Promise<string[]> =>
    new Promise((resolve, reject) => {
      writer.client.getChildren('/druid/internal-discovery', (error, names) => {
        if (error) reject(error);
        else resolve(names.toSorted());
      });
    });
  const before = await children();
  for (const role of ['broker', 'middleManager', 'BROKER', 'nobody']) {
    for (const prefix of ['', '/proxy/coordinator']) {
      const answer = await ask(gatewayPort, 'GET', `${prefix}/druid/coordinator/v1/cluster/${role}`);
      expect([answer.status, answer.json()]).toMatchObject([404, { context: { reason: 'path_denied' } }]);
    }
  }
  expect(await children()).toEqual(before);
  writer.close();
});
