import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Alert, AlertFile } from '../../tools/docs/alert-table.ts';
import { exportedSeries } from './exported.ts';
import { problemsOf, shownLabels } from './promql.ts';
import { DEPLOY, HAS_PROMETHEUS, ROOT, readDeployed, runPromtool } from './tools.ts';

const FOLDER = join(DEPLOY, 'prometheus');
const ALERTS = parse(await readFile(join(FOLDER, 'alerts.yaml'), 'utf8')) as AlertFile;
const alerts: readonly Alert[] = ALERTS.groups.flatMap(({ rules }) => rules);

describe.runIf(HAS_PROMETHEUS)('promtool', () => {
  test('takes the rules', async () => {
    for (const name of ['alerts', 'recording-rules']) {
      expect(await runPromtool(['check', 'rules', join(FOLDER, `${name}.yaml`)])).toMatch(
        /SUCCESS: \d+ rules found/,
      );
    }
  });

  test('has each alert fire where it should, and no other one', async () => {
    expect(await runPromtool(['test', 'rules', join(FOLDER, 'tests.yaml')])).toContain('SUCCESS');
  });
});

test('there is a scene in which each alert fires', async () => {
  const text = await readFile(join(FOLDER, 'tests.yaml'), 'utf8');
  const fired = new Set(Array.from(text.matchAll(/\{alertname="(\w+)"\}/g), ([, name]) => name));
  expect(alerts.map(({ alert }) => alert).filter((name) => !fired.has(name))).toEqual([]);
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
});

test('there is a scene in which nothing fires and each metric of an alert is there', async () => {
  const { tests } = await readDeployed<{
    tests: { input_series: { series: string }[]; promql_expr_test: { exp_samples: unknown[] }[] }[];
  }>('prometheus/tests.yaml');
  const [healthy] = tests;
  expect(healthy?.promql_expr_test[0]?.exp_samples).toEqual([]);
  const there = new Set(healthy?.input_series.map(({ series }) => series.replace(/\{.*/, '')));
  // What is an alert if it is there at all.
  there.add('druid_gateway_dangerous_settings');
  const used = alerts.flatMap(({ expr }) =>
    Array.from(expr.matchAll(/\b(?:druid_gateway|process|nodejs)_\w+/g)),
  );
  expect(used.map(([name]) => name).filter((name) => !there.has(name))).toEqual([]);
});

describe.each(alerts)('$alert', ({ expr, labels, annotations }) => {
  test('names metrics and labels that the gateway exports', async () => {
    const shown = Object.values(annotations).flatMap(shownLabels);
    expect(problemsOf(expr, shown, await exportedSeries())).toEqual([]);
  });

  test('says how bad it is, what it is, and where help is', async () => {
    expect(labels).toEqual({ severity: expect.stringMatching(/^(critical|warning|info)$/) });
    const { summary = '', description = '', runbook = '' } = annotations;
    expect([summary, description]).toEqual([expect.stringMatching(/\S{2}/), expect.stringMatching(/\.$/)]);
    const [file = '', anchor] = runbook.split('#');
    expect(existsSync(join(ROOT, file)), runbook).toBe(true);
    const page = await readFile(join(ROOT, file), 'utf8');
    const anchors = Array.from(page.matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
    expect(anchors).toContain(anchor);
  });
});

test('recording rules name metrics and labels that the gateway exports', async () => {
  const { groups } = await readDeployed<{ groups: { rules: { record: string; expr: string }[] }[] }>(
    'prometheus/recording-rules.yaml',
  );
  const exported = await exportedSeries();
  for (const { record, expr } of groups.flatMap(({ rules }) => rules)) {
    expect([record, problemsOf(expr, [], exported)]).toEqual([record, []]);
  }
});
