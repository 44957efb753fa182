import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ingest, ingestionTask, sql, waitForRows } from '../../../tools/druid-cluster/dataset.ts';
import { connectRaw } from '../../kit/clients/raw-client.ts';
import { gatewayForDruid, masters, nodes } from '../../kit/druid/druid.ts';
import { isWhole, type RunningGateway } from '../../kit/gateway/gateway-process.ts';

let gateway: RunningGateway;
const TABLE = 'tiny';

beforeAll(async () => {
  gateway = await gatewayForDruid();
  await gateway.until(isWhole);
  const rows = ['a', 'b', 'c'].map((k, n) => ({ ts: `2024-01-0${n + 1}T00:00:00Z`, k, n }));
  await ingest(gateway.url, ingestionTask(TABLE, rows, ['k', { type: 'long', name: 'n' }]));
  await waitForRows(gateway.url, TABLE, rows.length);
});

afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

const post = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

test('all nodes are discovered, and who leads is whom Druid names', async () => {
  const status = await gateway.status();
  const all = await nodes();
  const of = (role: string): string[] =>
    all
      .filter((node) => node.role === role)
      .map(({ port }) => `127.0.0.1:${port}`)
      .toSorted();
  expect(status.brokers.map(({ node }) => node).toSorted()).toEqual(of('broker'));
  for (const role of ['coordinator', 'overlord'] as const) {
    const { leader } = await masters(role);
    expect(status.leaders[role]).toMatchObject({
      state: 'serving',
      node: `127.0.0.1:${leader.port}`,
      term: expect.any(Number),
    });
  }
  expect(status.discovery).toMatchObject({ state: 'connected' });
});

describe('queries', () => {
  test('SQL is answered whole, with its trailer and one Date', async () => {
    const client = await connectRaw(Number(new URL(gateway.url).port));
    const body = JSON.stringify({ query: `SELECT k FROM ${TABLE} GROUP BY k ORDER BY k` });
    client.send(
      `POST /druid/v2/sql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    const answer = await client.answer();
    client.close();
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('[{"k":"a"},{"k":"b"},{"k":"c"}]\n');
    expect(answer.trailers).toEqual(['X-Druid-Response-Complete: true']);
    expect(answer.headers('date')).toHaveLength(1);
    expect(answer.header('x-druid-sql-query-id')).toBeTruthy();
  });

  test('native queries are answered, gzip and all', async () => {
    const query = {
      queryType: 'timeseries',
      dataSource: TABLE,
      granularity: 'all',
      intervals: ['2024-01-01/2025-01-01'],
      aggregations: [{ type: 'longSum', name: 'n', fieldName: 'n' }],
    };
    const response = await fetch(`${gateway.url}/druid/v2`, post(query));
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(await response.json()).toMatchObject([{ result: { n: 3 } }]);
  });

  test('both Brokers get their share', async () => {
    await Promise.all(Array.from({ length: 40 }, () => sql(gateway.url, 'SELECT 1')));
    const metrics = await (await fetch(`${gateway.admin}/metrics`)).text();
    expect(metrics).toMatch(/druid_gateway_requests_total\{role="broker",class="query",status="200"\} \d{2}/);
    const used = new Set(
      gateway
        .log()
        .split('\n')
        .filter((line) => line.includes('"role":"broker"'))
        .map((line) => /"upstream":"([^"]+)"/.exec(line)?.[1]),
    );
    expect(used.size).toBe(2);
  });

  test("a wrong query gets Druid's own error", async () => {
    const response = await fetch(`${gateway.url}/druid/v2/sql`, post({ query: 'SELECT FROM' }));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: 'druidException', category: 'INVALID_INPUT' });
  });

  test('a cancel reaches a Broker', async () => {
    const response = await fetch(`${gateway.url}/druid/v2/unknown-query`, { method: 'DELETE' });
    expect(response.status).toBe(202);
  });
});

describe('the masters', () => {
  test.each([
    '/druid/coordinator/v1/datasources',
    '/druid/coordinator/v1/loadstatus',
    '/druid/indexer/v1/tasks',
    '/druid/indexer/v1/workers',
    '/proxy/coordinator/status',
    '/proxy/overlord/druid/indexer/v1/totalWorkerCapacity',
  ])('GET %s is answered by the leader', async (path) => {
    const response = await fetch(gateway.url + path, { redirect: 'manual' });
    expect(response.status).toBe(200);
    await response.json();
  });

  test('HEAD is answered from GET, which Druid itself refuses', async () => {
    const response = await fetch(`${gateway.url}/druid/coordinator/v1/datasources`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });

  test('a refused task is refused in Druid own words', async () => {
    const response = await fetch(`${gateway.url}/druid/indexer/v1/task`, post({ type: 'nonsense' }));
    expect(response.status).toBe(400);
  });
});

describe('what the Router answers', () => {
  test('its own paths', async () => {
    const get = async (path: string): Promise<unknown> => (await fetch(gateway.url + path)).json();
    expect(await get('/proxy/enabled')).toEqual({ enabled: true });
    expect(await get('/status/health')).toBe(true);
    expect(await get('/status/selfDiscovered/status')).toEqual({ selfDiscovered: true });
    expect(await get('/status')).toMatchObject({ version: '33.0.0' });
    expect(await get('/status/properties')).toMatchObject({ 'druid.router.managementProxy.enabled': 'true' });
    const { brokers } = await gateway.status();
    const { 'druid/broker': named } = (await get('/druid/router/v1/brokers')) as Record<string, string[]>;
    expect(named?.toSorted()).toEqual(brokers.map(({ node }) => node).toSorted());
  });

  test('internal paths are not served, however they are asked for', async () => {
    const paths = [
      '/druid-internal/v1/segments',
      '/proxy/coordinator/druid-internal/v1/segments',
      '/druid/indexer/v1/action',
      '/druid/indexer/v1/%61ction',
      '/druid/broker/v1/loadstatus',
      '/druid/coordinator/v1/cluster/broker',
    ];
    for (const path of paths) {
      const response = await fetch(gateway.url + path);
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.json()).toMatchObject({
        error: 'druidException',
        context: { reason: 'path_denied' },
      });
    }
  });
});

test('in redirect mode the client is sent to the leader itself, with its own path and query', async () => {
  const direct = await gatewayForDruid('--config', 'test/druid/redirect.yaml');
  await direct.until(isWhole);
  const { leader } = await masters('coordinator');
  const path = '/druid/coordinator/v1/datasources?simple&x=%2F';
  const response = await fetch(direct.url + path, { redirect: 'manual' });
  expect(response.status).toBe(307);
  expect(response.headers.get('location')).toBe(`http://localhost:${leader.port}${path}`);
  const followed = await fetch(direct.url + path);
  expect(followed.status).toBe(200);
  expect(await sql(direct.url, 'SELECT 1 AS x')).toEqual([{ x: 1 }]);
  await direct.stop();
});
