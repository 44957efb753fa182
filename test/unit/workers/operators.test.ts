import { execFile } from 'node:child_process';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HistoryBody } from '../../../src/admin/history/history.ts';
import type { SharedView } from '../../../src/feeds/shared-view.ts';
import { type RunningGateway, startGatewayFromSources } from '../../kit/gateway/gateway-process.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const READ = '/druid/coordinator/v1/servers';

let druid: FakeUpstream;
let gateway: RunningGateway;
let leads: boolean;

beforeEach(async () => {
  leads = true;
  druid = await startUpstream(({ target }, socket) => {
    if (target.endsWith('/isLeader')) socket.write(plain(leads ? '200 OK' : '404 Not Found', [], '{}'));
    else if (target.endsWith('/leader')) socket.write(plain('200 OK', [], druid.origin));
    else if (target.endsWith('/readiness')) socket.write(json(true));
    else socket.write(plain(leads ? '200 OK' : '503 Service Unavailable', [], 'here'));
  });
});
afterEach(async () => {
  await gateway.stop();
  await druid.close();
});

async function start(workers: number): Promise<void> {
  gateway = await startGatewayFromSources(
    {
      WORKERS: String(workers),
      STATIC__COORDINATORS: druid.origin,
      STATIC__BROKERS: druid.origin,
      LEADERSHIP__PROBE_INTERVAL: '100ms',
      PARKING__MAX_WAIT: '2s',
    },
    ...['--discovery', 'static', '--log-level', 'warn'],
  );
  await gateway.until(({ leaders }) => leaders.coordinator.state === 'serving');
}

/** On a connection of its own, so that each worker gets some. */
function read(): Promise<number> {
  return new Promise((resolve, reject) => {
    get(gateway.url + READ, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).once('error', reject);
  });
}

async function ask<T>(method: string, path: string, body: unknown): Promise<T> {
  const response = await fetch(gateway.admin + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

async function cli(...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH ?? '' };
  const { stdout } = await run(process.execPath, [MAIN, ...args, '--admin', gateway.admin], { env });
  return stdout;
}

const history = async (): Promise<HistoryBody> =>
  (await (await fetch(`${gateway.admin}/history`)).json()) as HistoryBody;

async function historyOnce(holds: (body: HistoryBody) => boolean): Promise<HistoryBody> {
  for (let i = 0; i < 500; i++) {
    const body = await history();
    if (holds(body)) return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the history is ${JSON.stringify(await history())}`);
}

describe.each([1, 2])('with %i worker(s)', (workers) => {
  test('requests that waited for the next leader are counted for its term, those that failed too', async () => {
    await start(workers);
    leads = false;
    await gateway.until(({ leaders }) => leaders.coordinator.state !== 'serving');
    const failing = await Promise.all(Array.from({ length: 8 }, read));
    expect(new Set(failing)).toEqual(new Set([503]));
    const waiting = Promise.all(Array.from({ length: 12 }, read));
    while ((await gateway.metric('druid_gateway_parked_requests{role="coordinator"}')) < 12);
    leads = true;
    expect(new Set(await waiting)).toEqual(new Set([200]));
    const { terms, since } = await historyOnce((body) => body.terms.at(-1)?.waited === 20);
    expect(Date.parse(since)).toBeLessThan(Date.now());
    const node = druid.hostAndPort;
    expect(terms).toMatchObject([
      {
        role: 'coordinator',
        node,
        term: null,
        gapMs: null,
        knownBy: 'probe',
        to: terms[1] && expect.any(String),
      },
      { role: 'coordinator', node, to: null, waited: 20, failed: 8 },
    ]);
    const [first, second] = terms;
    expect(second?.gapMs).toBe(Date.parse(second?.from ?? '') - Date.parse(first?.to ?? ''));
    expect(second?.gapMs).toBeGreaterThan(2_000);
  });

  test('the level of the log is that of all processes, and of those that start later', async () => {
    await start(workers);
    expect(await read()).toBe(200);
    expect(gateway.log()).not.toContain(READ);
    expect(await cli('log-level')).toBe('warn\n');
    expect(await cli('log-level', 'info')).toBe('warn -> info\n');
    if (workers > 1) {
      const before = (await gateway.status()).workers ?? [];
      for (const { pid } of before) if (pid !== null) process.kill(pid, 'SIGKILL');
      await gateway.until((status) =>
        (status.workers ?? []).every(
          ({ state, pid }) => state === 'serving' && !before.some((old) => old.pid === pid),
        ),
      );
    }
    expect(await read()).toBe(200);
    for (let i = 0; i < 500 && !gateway.log().includes(READ); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(gateway.log()).toContain(`"path":"${READ}"`);
  });

  test('the view is told when the leader goes and comes back, and when the gateway is going to end', async () => {
    await start(workers);
    const next = async (version: string): Promise<SharedView> =>
      (await (await fetch(`${gateway.admin}/view?version=${version}&wait=60s`)).json()) as SharedView;
    let { version } = await next('');
    const until = async (holds: (view: SharedView) => boolean): Promise<SharedView> => {
      let view = await next('');
      for (; !holds(view); { version } = view) view = await next(version);
      return view;
    };
    await until(({ brokers }) => brokers.some(({ state }) => state === 'ready'));
    leads = false;
    await until(({ leaders }) => leaders.coordinator.state !== 'serving');
    leads = true;
    const { leaders } = await until((view) => view.leaders.coordinator.state === 'serving');
    expect(leaders.coordinator).toMatchObject({ node: druid.hostAndPort, scheme: 'http' });
    const draining = until((view) => view.draining);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await Promise.all([draining, gateway.stop()]);
  });

  test('the command line shows all of this', async () => {
    await start(workers);
    const told = await Promise.all(
      [['status'], ['history'], ['health', '--ready'], ['explain', 'GET', READ]].map((args) => cli(...args)),
    );
    const [status, terms, ready, explained] = told;
    expect(status).toMatch(new RegExp(`^coordinator  serving +${druid.hostAndPort} `, 'm'));
    expect(status?.includes(`workers: ${workers} of ${workers} serve`)).toBe(workers > 1);
    expect(terms).toMatch(new RegExp(` coordinator  ${druid.hostAndPort} `));
    expect(ready).toBe('ready\n');
    expect(explained).toContain(`outcome   relayed by ${druid.hostAndPort}\n`);
  });

  test('a request is explained by who would serve it', async () => {
    await start(workers);
    const before = druid.requests.filter(({ target }) => target === READ).length;
    expect(await ask('POST', '/explain', { method: 'GET', path: READ })).toMatchObject({
      route: { role: 'coordinator', class: 'read' },
      choice: { nodes: [druid.hostAndPort] },
      outcome: { kind: 'relayed' },
      ...(workers > 1 ? { worker: 1 } : {}),
    });
    expect(druid.requests.filter(({ target }) => target === READ)).toHaveLength(before);
  });
});
