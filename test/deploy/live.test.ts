import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { type RunningGateway, startGatewayFromSources } from '../kit/gateway/gateway-process.ts';
import { testPorts } from '../kit/net/ports.ts';
import { DEPLOY, HAS_PROMETHEUS, prometheusServer, readDeployed, runPromtool } from './tools.ts';

/** Scrapes and evaluations come once a second. */
const WAIT = { timeout: 90_000, interval: 200 };

interface Rule {
  readonly name: string;
  readonly type: 'alerting' | 'recording';
  readonly health: 'ok' | 'err' | 'unknown';
  readonly state?: 'inactive' | 'pending' | 'firing';
  readonly lastError?: string;
}

describe.runIf(HAS_PROMETHEUS)('a Prometheus that scrapes two gateways, one of them with workers', () => {
  const gateways: RunningGateway[] = [];
  let server: ReturnType<typeof spawn>;
  let api: string;
  let folder: string;

  async function ask<T>(path: string): Promise<T> {
    const answer = await fetch(`${api}/${path}`);
    const body = (await answer.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(body.error);
    return body.data;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'druid-gateway-prometheus-'));
    const keys = {
      DISCOVERY__TYPE: 'static',
      STATIC__BROKERS: 'http://127.0.0.1:1',
      PARKING__MAX_WAIT: '100ms',
    };
    gateways.push(
      await startGatewayFromSources({ ...keys, WORKERS: '1' }),
      await startGatewayFromSources({ ...keys, WORKERS: '2' }),
    );
    for (const { url } of gateways) expect((await fetch(`${url}/druid/v2/datasources`)).status).toBe(503);
    const [port] = await testPorts(1);
    api = `http://127.0.0.1:${port}/api/v1`;
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ['alerts', 'recording-rules'].map((name) => join(DEPLOY, 'prometheus', `${name}.yaml`)),
      scrape_configs: [
        {
          job_name: 'druid-gateway',
          static_configs: [{ targets: gateways.map(({ admin }) => new URL(admin).host) }],
        },
      ],
    };
    const file = join(folder, 'prometheus.yaml');
    await writeFile(file, stringify(config));
    const flags = [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`, '--log.level=error'];
    server = spawn(prometheusServer(), [...flags, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: 'ignore',
    });
    // Two scrapes: a rate needs them.
    await vi.waitFor(async () => {
      const { result } = await ask<{ result: unknown[] }>(
        `query?query=${encodeURIComponent('count_over_time(druid_gateway_build_info[1m]) > 2')}`,
      );
      expect(result).toHaveLength(2);
    }, WAIT);
  });

  afterAll(async () => {
    if (server?.exitCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  test('can evaluate every rule, and begins to tell that nobody leads', async () => {
    await vi.waitFor(async () => {
      const { groups } = await ask<{ groups: { rules: Rule[] }[] }>('rules');
      const rules = groups.flatMap(({ rules: of }) => of);
      expect(rules.length).toBeGreaterThan(45);
      for (const { name, health, lastError = '' } of rules)
        expect([name, health, lastError]).toEqual([name, 'ok', '']);
      const raised = rules
        .filter(({ state }) => state === 'pending' || state === 'firing')
        .map(({ name }) => name);
      expect(raised.toSorted()).toEqual([
        'DruidGatewayBrokerOut',
        'DruidGatewayFewReadyBrokers',
        'DruidGatewayNoLeader',
        'DruidGatewayNoReadyBroker',
      ]);
    }, WAIT);
  });

  test('can answer every query of the dashboard', async () => {
    const { panels } = await readDeployed<{ panels: { title: string; targets?: { expr: string }[] }[] }>(
      'grafana/druid-gateway.json',
    );
    const empty: string[] = [];
    for (const { title, targets = [] } of panels) {
      for (const { expr } of targets) {
        const query = expr
          .replaceAll('$__rate_interval', '1m')
          .replaceAll('$job', 'druid-gateway')
          .replaceAll('$instance', '.*');
        const { result } = await ask<{ result: unknown[] }>(`query?query=${encodeURIComponent(query)}`);
        if (result.length === 0) empty.push(title);
      }
    }
    // A gateway that has just started may have had nothing to collect.
    const wanting = empty.filter((title) => title !== 'Garbage collection');
    // What gateways without ZooKeeper, masters, tiers, spans, feeds and certificates have not.
    expect(wanting).toEqual([
      'First certificate ends in',
      'Terms',
      'Placement by service',
      'Age of the load rules',
      'Session',
      ...Array<string>(3).fill('Reconnects, faults, watches'),
      ...Array<string>(4).fill('Spans and feeds'),
      ...Array<string>(3).fill('Reloads, history, pressure, feeds'),
      'Certificates',
      'Configuration and history',
    ]);
  });

  test('gets what passes `promtool check metrics`', async () => {
    for (const { admin } of gateways) {
      const text = await (await fetch(`${admin}/metrics`)).text();
      expect(text).toContain('druid_gateway_parked_seconds_bucket');
      expect(text).toMatch(/^druid_gateway_leader_gap_seconds_count\{role="overlord"\} 0$/m);
      expect(text).toMatch(/^druid_gateway_history_last_write_successful 1$/m);
      expect(await runPromtool(['check', 'metrics'], text)).toBe('');
    }
  });
});
