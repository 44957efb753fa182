import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { exportedSeries } from './exported.ts';
import { problemsOf, selectorsOf, shownLabels } from './promql.ts';
import {
  DEPLOY,
  HAS_GO_TOOLS,
  HAS_PROMETHEUS,
  readDeployed,
  runPromtool,
  runTool,
  scratchFolder,
} from './tools.ts';

interface Dashboard {
  readonly panels: readonly PanelJson[];
  readonly annotations: { readonly list: readonly { expr: string; titleFormat: string }[] };
  readonly templating: { readonly list: readonly { name: string; definition?: string }[] };
}

interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const FILE = 'grafana/druid-gateway.json';
const dashboard = await readDeployed<Dashboard>(FILE);
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const queries = [
  ...panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ title, expr, legend: legendFormat })),
  ),
  ...dashboard.annotations.list.map(({ expr, titleFormat }) => ({
    title: 'annotation',
    expr,
    legend: titleFormat,
  })),
];

test.runIf(HAS_GO_TOOLS)('the dashboard has the fields and types of Grafana’s own schema', async () => {
  await runTool('strict', ['dashboard', join(DEPLOY, FILE)]);
});

test.runIf(HAS_PROMETHEUS)('every query is PromQL', async () => {
  const folder = await scratchFolder();
  const rules = queries.map(({ expr }, i) => ({
    record: `query:${i}`,
    expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$__interval', '1m'),
  }));
  const file = join(folder, 'queries.yaml');
  await writeFile(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
  expect(await runPromtool(['check', 'rules', file])).toContain(`SUCCESS: ${queries.length} rules found`);
});

test.each(queries)('$title: $expr', async ({ expr, legend }) => {
  const exported = await exportedSeries();
  expect(problemsOf(expr, shownLabels(legend), exported)).toEqual([]);
  for (const { metric, labels } of selectorsOf(expr)) {
    expect([metric, labels]).toEqual([metric, expect.arrayContaining(['job', 'instance'])]);
  }
});

test('every metric of the gateway is on it', async () => {
  const shown = new Set(queries.flatMap(({ expr }) => selectorsOf(expr).map(({ metric }) => metric)));
  const missing = [...(await exportedSeries()).keys()]
    .filter((name) => name.startsWith('druid_gateway_') && !/_(?:sum|count)$/.test(name))
    .filter((name) => !shown.has(name));
  // When it was written says no more than whether it was.
  expect(missing).toEqual(['druid_gateway_history_last_write_success_timestamp_seconds']);
});

describe('its panels', () => {
  test('have numbers and places of their own', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false]);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });

  test('say what they show, and need no plugin', () => {
    for (const { title, type, description } of panels) {
      expect([title, description]).toEqual([title, expect.stringMatching(/\w{3}/)]);
      expect(['stat', 'timeseries', 'state-timeline', 'table']).toContain(type);
    }
  });
});

test('the data source, the job and the gateways can be chosen', () => {
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance']);
});
