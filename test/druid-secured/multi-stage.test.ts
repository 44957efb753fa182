import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ask,
  askWell,
  atEveryBroker,
  gatewayForSecured,
  securedCluster,
  taskSucceeds,
} from '../kit/druid/secured.ts';
import { eventually } from '../kit/eventually.ts';
import type { RunningGateway } from '../kit/gateway/gateway-process.ts';

const TABLE = 'staged_rows';
const DATA = ['a', 'b', 'c'].map((k, i) => JSON.stringify({ ts: `2024-01-0${i + 1}T00:00:00Z`, k, n: i }));
const EXTERN = `TABLE(EXTERN('${JSON.stringify({ type: 'inline', data: DATA.join('\n') })}', '{"type":"json"}',
  '[{"name":"ts","type":"string"},{"name":"k","type":"string"},{"name":"n","type":"long"}]'))`;

let gateway: RunningGateway;
let broker: string;

beforeAll(async () => {
  const { nodes } = await securedCluster();
  broker = `http://127.0.0.1:${nodes.find(({ role }) => role === 'broker')?.port}`;
  gateway = await gatewayForSecured();
});
afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

interface Statement {
  readonly queryId: string;
  readonly state: string;
}

const statements = (): string => `${gateway.url}/druid/v2/sql/statements`;

async function state(id: string): Promise<Statement> {
  return (await askWell(`${statements()}/${id}`)) as Statement;
}

async function submit(query: string): Promise<string> {
  const context = { executionMode: 'ASYNC' };
  return ((await askWell(statements(), { body: { query, context } })) as Statement).queryId;
}

test('a query as a task replaces a table', async () => {
  expect(await askWell(`${gateway.url}/druid/v2/sql/task/enabled`)).toEqual({ enabled: true });
  const response = await ask(`${gateway.url}/druid/v2/sql/task`, {
    body: {
      query: `REPLACE INTO ${TABLE} OVERWRITE ALL
        SELECT TIME_PARSE(ts) AS __time, k, n FROM ${EXTERN} PARTITIONED BY DAY`,
      context: { maxNumTasks: 2 },
    },
  });
  expect(response.status).toBe(202);
  const { taskId } = (await response.json()) as { taskId: string };
  await taskSucceeds(gateway.url, taskId);
  const query = `SELECT SUM(n) s FROM ${TABLE}`;
  await atEveryBroker(async (origin) => {
    const answer = await ask(`${origin}/druid/v2/sql`, { body: { query } });
    return (await answer.text()).trim() === '[{"s":3}]';
  });
});

test('a statement runs on its own and gives its rows later', async () => {
  const id = await submit(`SELECT k, n FROM ${TABLE} ORDER BY k`);
  await eventually(async () => {
    const now = await state(id);
    if (now.state === 'FAILED') throw new Error(JSON.stringify(now));
    return now.state === 'SUCCESS';
  });
  const response = await ask(`${statements()}/${id}/results?page=0&resultFormat=objectLines`);
  expect(response.status).toBe(200);
  const rows = (await response.text()).trim().split('\n');
  expect(rows.map((row) => JSON.parse(row))).toEqual(['a', 'b', 'c'].map((k, n) => ({ k, n })));
  // There is nothing left to cancel.
  expect((await ask(`${statements()}/${id}`, { method: 'DELETE' })).status).toBe(200);
});

test('a statement is cancelled', async () => {
  const id = await submit(`SELECT k FROM ${TABLE}`);
  expect((await ask(`${statements()}/${id}`, { method: 'DELETE' })).status).toBe(202);
  await eventually(async () => (await state(id)).state === 'FAILED');
});

test('what is wrong with a statement is said as the Broker says it', async () => {
  const wrong = [
    { path: '', body: { query: 'SELECT 1' } },
    { path: '/unknown-id' },
    { path: '/unknown-id/results' },
    { path: '/unknown-id', method: 'DELETE' },
    { path: '', as: null, body: { query: 'SELECT 1', context: { executionMode: 'ASYNC' } } },
  ];
  for (const { path, ...asked } of wrong) {
    const through = await ask(statements() + path, asked);
    const direct = await ask(`${broker}/druid/v2/sql/statements${path}`, asked);
    expect([through.status, await through.text()]).toEqual([direct.status, await direct.text()]);
    expect(through.status).toBeGreaterThanOrEqual(400);
  }
});
