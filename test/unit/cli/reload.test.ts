import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { connectRaw, type RawClient } from '../../kit/clients/raw-client.ts';
import { type RunningGateway, startGatewayFromSources } from '../../kit/gateway/gateway-process.ts';
import { until } from '../../kit/gateway/two-workers.ts';
import { CLUSTER, NAMESPACE, podOf } from '../../kit/kubernetes/druid-pods.ts';
import { startFakeApiServer } from '../../kit/kubernetes/fake-api-server.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const run = promisify(execFile);
const READ = 'GET /druid/v2/datasources HTTP/1.1\r\nHost: a\r\nOrigin: https://bi.example.com\r\n\r\n';
const STREAM = 'GET /druid/v2/datasources/stream HTTP/1.1\r\nHost: a\r\n\r\n';
const ALLOWED = 'cors: { origins: [https://bi.example.com] }';
const RELOADED = 'configuration reloaded';
const REFUSED = 'configuration not reloaded';

let folder: string;
let druid: FakeUpstream;
let gateway: RunningGateway;
/** The stream's answer goes on until this is set. */
let streamEnds: boolean;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'druid-gateway-reload-'));
  streamEnds = false;
  druid = await startUpstream(({ target }, socket) => {
    if (target.endsWith('/readiness')) socket.write(json(true));
    else if (target === '/status/ready') socket.write(plain('404 Not Found', [], ''));
    else if (target.endsWith('/stream')) void stream((piece) => socket.write(piece));
    else socket.write(json('now'));
  });
});
afterEach(async () => {
  streamEnds = true;
  await gateway.stop();
  await druid.close();
  rmSync(folder, { recursive: true });
});

async function stream(write: (piece: string) => void): Promise<void> {
  write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  while (!streamEnds) {
    write('5\r\npiece\r\n');
    await sleep(10);
  }
  write('0\r\n\r\n');
}

/** Puts a file into place as a ConfigMap has it: by a link to a folder that is swapped. */
let version = 0;
function mount(yaml: string): void {
  const at = (name: string): string => join(folder, name);
  const data = `..${++version}`;
  mkdirSync(at(data));
  writeFileSync(join(at(data), 'gateway.yaml'), `log: { access: false }\n${yaml}\n`);
  symlinkSync(data, at('..data_tmp'));
  renameSync(at('..data_tmp'), at('..data'));
}

/** Starts a gateway with a mounted file, in which the source is where it is not always the same. */
async function start(workers: number, interval = '0', source = ''): Promise<void> {
  mount(source);
  symlinkSync(join('..data', 'gateway.yaml'), join(folder, 'gateway.yaml'));
  const keys = {
    WORKERS: String(workers),
    ...(source === '' ? { STATIC__BROKERS: druid.origin, DISCOVERY__TYPE: 'static' } : {}),
    RELOAD__INTERVAL: interval,
  };
  gateway = await startGatewayFromSources(keys, '--config', join(folder, 'gateway.yaml'));
  await gateway.until(({ brokers }) => brokers.some(({ ready }) => ready));
}

/** The lines of the log with this message, once there are so many. */
async function told(message: string, count = 1): Promise<Record<string, unknown>[]> {
  const all = (): string[] =>
    gateway
      .log()
      .split('\n')
      .filter((line) => line.endsWith(`"msg":"${message}"}`));
  await until(() => all().length >= count);
  return all().map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** What `druid-gateway reload` says. */
async function command(...args: readonly string[]): Promise<{ code: unknown; out: string; err: string }> {
  const given = [MAIN, 'reload', '--admin', gateway.admin, ...args];
  const { PATH = '' } = process.env;
  return run(process.execPath, given, { env: { PATH } }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ code, out: stdout, err: stderr }),
  );
}

async function post(): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${gateway.admin}/reload`, { method: 'POST' });
  return { status: answer.status, body: await answer.json() };
}

const connect = (): Promise<RawClient> => connectRaw(Number(new URL(gateway.url).port));

/** What a page of that origin is allowed on this connection. */
async function allowed(client: RawClient): Promise<string | undefined> {
  client.send(READ);
  const answer = await client.answer();
  expect(answer.status).toBe(200);
  return answer.header('access-control-allow-origin');
}

const succeeded = (): Promise<number> => gateway.metric('druid_gateway_config_last_reload_successful');

describe.each([1, 2])('with %i workers', (workers) => {
  test('SIGHUP, POST and a swapped link are taken up under load, and no request is lost nor a connection cut', async () => {
    await start(workers, '100ms');
    const streaming = await connect();
    streaming.send(STREAM);
    const clients = await Promise.all(Array.from({ length: 8 }, connect));
    let ends = false;
    let answers = 0;
    const loads = clients.map(async (client) => {
      while (!ends) {
        await allowed(client);
        answers++;
      }
      return allowed(client);
    });
    for (let i = 1; i <= 5; i++) {
      mount(`parking: { maxWait: ${i}s }\nlimits: { concurrency: { broker: ${100 * i} } }`);
      process.kill(gateway.pid, 'SIGHUP');
      await until(() => gateway.log().includes(`"limits.concurrency.broker","from":1500,"to":${100 * i}`));
      mount(`retries: { minPerSecond: ${i} }`);
      expect(await post()).toMatchObject({ status: 200, body: { reloaded: true } });
      mount(`${ALLOWED}\nqueries: { maxCancels: ${i} }`);
      await until(() => gateway.log().includes(`"queries.maxCancels","from":64,"to":${i}`));
    }
    const before = answers;
    await until(() => answers > before + 100);
    ends = true;
    expect(new Set(await Promise.all(loads))).toEqual(new Set(['https://bi.example.com']));
    streamEnds = true;
    const whole = await streaming.answer();
    expect([whole.status, whole.body.toString().replaceAll('piece', '')]).toEqual([200, '']);
    for (const client of [streaming, ...clients]) {
      expect(await allowed(client)).toBe('https://bi.example.com');
      client.close();
    }
    expect(gateway.log()).not.toContain(REFUSED);
    expect(await succeeded()).toBe(1);
    expect(await gateway.metric('druid_gateway_running_requests{role="broker"}')).toBe(0);
  });

  test('a wrong one is refused, whoever has it read, and nothing changes until it is right', async () => {
    await start(workers);
    const client = await connect();
    const time = 'druid_gateway_config_last_reload_success_timestamp_seconds';
    const started = await gateway.metric(time);
    mount(`${ALLOWED}\nparking: { maxWait: soon }`);
    process.kill(gateway.pid, 'SIGHUP');
    const [line] = await told(REFUSED);
    expect(line).toMatchObject({ level: 'error', trigger: 'signal' });
    const refused = await post();
    expect(refused).toMatchObject({ status: 422, body: { problems: [expect.stringContaining('maxWait')] } });
    expect(refused.body).toMatchObject({ problems: line?.problems });
    expect([await allowed(client), await succeeded(), await gateway.metric(time)]).toEqual([
      undefined,
      0,
      started,
    ]);
    mount(`${ALLOWED}\nlimits: { maxConnections: 5 }`);
    expect(await post()).toEqual({
      status: 200,
      body: { reloaded: true, changed: ['cors.origins'], needsRestart: ['limits.maxConnections'] },
    });
    expect([await allowed(client), await succeeded()]).toEqual(['https://bi.example.com', 1]);
    expect(await gateway.metric(time)).toBeGreaterThan(started);
    const { config } = (await (await fetch(`${gateway.admin}/status`)).json()) as {
      config: { cors: { origins: string[] }; limits: { maxConnections: number } };
    };
    expect([config.cors.origins, config.limits.maxConnections]).toEqual([['https://bi.example.com'], 10_000]);
    client.close();
  });
});

test('another source is taken up with workers under load', async () => {
  const api = await startFakeApiServer();
  const { port } = new URL(druid.origin);
  api.put('pods', NAMESPACE, podOf('b0', { roles: ['broker'], host: '127.0.0.1', port: Number(port) }));
  const named = `discovery: { type: static }\nstatic: { brokers: [${druid.origin}] }`;
  const kubernetes = (server: string): string =>
    `discovery: { type: kubernetes }\nkubernetes: { server: '${server}', clusterIdentifier: ${CLUSTER}, namespace: ${NAMESPACE} }`;
  await start(2, '0', named);
  const clients = await Promise.all(Array.from({ length: 8 }, connect));
  let ends = false;
  const loads = clients.map(async (client) => {
    while (!ends) await allowed(client);
  });
  const kind = async (): Promise<unknown> => {
    const { discovery } = (await (await fetch(`${gateway.admin}/status`)).json()) as {
      discovery: { kind: string };
    };
    return discovery.kind;
  };
  const restarts = 'druid_gateway_discovery_restarts_total{source="kubernetes"}';
  mount(kubernetes(api.url));
  expect(await post()).toMatchObject({ status: 200, body: { needsRestart: [] } });
  expect([await kind(), await gateway.metric(restarts)]).toEqual(['kubernetes', 0]);
  mount(named);
  expect(await post()).toMatchObject({ status: 200 });
  expect(await kind()).toBe('static');
  ends = true;
  await Promise.all(loads);
  for (const client of clients) client.close();
  await api.close();
});

test('a worker that starts later begins with what has been taken up, and SIGHUP ends none', async () => {
  await start(2);
  mount(ALLOWED);
  await post();
  const pids = async (): Promise<number[]> =>
    ((await gateway.status()).workers ?? []).map(({ pid }) => pid ?? 0);
  const before = await pids();
  for (const pid of [gateway.pid, ...before]) process.kill(pid, 'SIGHUP');
  await told(RELOADED, 2);
  expect(await pids()).toEqual(before);
  for (const pid of before) process.kill(pid, 'SIGKILL');
  const restarted = { restarts: 1, state: 'serving' };
  await gateway.until(({ workers = [] }) =>
    workers.every(({ restarts, state }) => restarts === restarted.restarts && state === restarted.state),
  );
  const client = await connect();
  expect(await allowed(client)).toBe('https://bi.example.com');
  client.close();
});

test('the command says what has changed, what needs a restart, and what is wrong', async () => {
  await start(1);
  expect(await command()).toEqual({ code: 0, out: 'Nothing has changed.\n', err: '' });
  mount(`${ALLOWED}\nlimits: { maxConnections: 5 }`);
  expect(await command()).toEqual({
    code: 0,
    out: 'Changed: cors.origins\nNeeds a restart: limits.maxConnections\n',
    err: '',
  });
  mount('parking: { maxWait: soon, maxBytes: much }');
  const { code, out, err } = await command();
  expect([code, out]).toEqual([1, '']);
  expect(err).toMatch(/^druid-gateway: [^\n]*parking\.max[^\n]*\ndruid-gateway: [^\n]*parking\.max[^\n]*\n$/);
  const json = await command('--json');
  expect([json.code, JSON.parse(json.out)]).toMatchObject([1, { error: REFUSED }]);
});

test('SIGTERM still ends it, also after a reload', async () => {
  await start(1);
  process.kill(gateway.pid, 'SIGHUP');
  await told(RELOADED);
  expect(await gateway.stop()).toBe(0);
});
