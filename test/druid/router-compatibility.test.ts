import { afterAll, beforeAll, expect, test } from 'vitest';
import { ingest, ingestionTask, waitForRows } from '../../tools/druid-cluster/dataset.ts';
import { gatewayForDruid } from '../kit/druid/druid.ts';
import { type DruidRouter, startRouter } from '../kit/druid/druid-router.ts';
import { isWhole, type RunningGateway } from '../kit/gateway/gateway-process.ts';
import { CALLS, TABLE } from './router-compatibility/calls.ts';
import { ask, differences, type Found, type Names } from './router-compatibility/compare.ts';
import { DIFFERENCES } from './router-compatibility/differences.ts';
import { judge } from './router-compatibility/judge.ts';

let gateway: RunningGateway;
let router: DruidRouter;
const found: Found[] = [];

beforeAll(async () => {
  [gateway, router] = await Promise.all([gatewayForDruid(), startRouter(2)]);
  await gateway.until(isWhole);
  const rows = ['a', 'b', 'c'].map((k, i) => ({ ts: `2024-01-0${i + 1}T00:00:00Z`, k, n: i + 1 }));
  const task = await ingest(gateway.url, ingestionTask(TABLE, rows, ['k', { type: 'long', name: 'n' }]));
  await waitForRows(gateway.url, TABLE, rows.length);
  const segments = await fetch(`${gateway.url}/druid/coordinator/v1/metadata/datasources/${TABLE}/segments`);
  const [segment = ''] = (await segments.json()) as string[];
  const tagged = await fetch(`${gateway.url}/druid/v2`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'if-none-match': 'x' },
    body: String(CALLS.find(({ name }) => name === 'native: timeseries')?.body),
  });
  const etag = tagged.headers.get('etag') ?? '';
  const names: Names = { task, segment, 'segment%': encodeURIComponent(segment), etag };
  const gatewayPort = Number(new URL(gateway.url).port);
  for (const call of CALLS) {
    const theirs = await ask(router.port, call, names);
    found.push(...differences(call, theirs, await ask(gatewayPort, call, names)));
  }
}, 600_000);

afterAll(async () => {
  await router?.stop();
  expect(await gateway.stop()).toBe(0);
});

test('all differences are meant, and all that are meant are there', () => {
  expect(judge(found, DIFFERENCES)).toEqual({ unlisted: [], gone: [] });
});
