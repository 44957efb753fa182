import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AdminOptions, createAdmin } from '../../../../src/admin/admin.ts';
import type { Explained } from '../../../../src/admin/explain.ts';
import { adminAddress, DEFAULT_ORIGIN } from '../../../../src/cli/admin/address.ts';
import { askAdmin } from '../../../../src/cli/admin/client.ts';
import type { Given } from '../../../../src/cli/command.ts';
import { loadConfig } from '../../../../src/config/load.ts';
import { formatHostPort } from '../../../../src/net/host-port.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { type Certificates, makeCertificates } from '../../../kit/net/certificates.ts';
import { FakeCluster, FakeDiscovery, node, serving } from '../../admin/fakes.ts';

const MAIN = fileURLToPath(new URL('../../../../src/main.ts', import.meta.url));
const TOKEN = 'a-token-of-some-length';
const BROKER = '10.0.0.3:8082';

let folder: string;
let certificates: Certificates;
let app: FastifyInstance | null;
let stranger: Server | null;
let cluster: FakeCluster;
let asked: unknown[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'druid-gateway-client-'));
  certificates = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  app = null;
  stranger = null;
  asked = [];
  cluster = new FakeCluster();
  cluster.lead(serving('coordinator', node('10.0.0.1:8081', 3), 12));
  cluster.show({
    complete: true,
    brokers: [
      { node: node(BROKER), service: 's', ready: true, cordoned: false, ejected: false, why: 'ready' },
    ],
  });
  cluster.cordon = (name, cordoned) => cluster.show({ cordoned: cordoned ? new Set([name]) : new Set() });
});
afterEach(async () => {
  await app?.close();
  stranger?.close();
});

async function listen(options: Partial<AdminOptions> = {}, port = 0): Promise<string> {
  app = createAdmin({
    cluster,
    discovery: new FakeDiscovery(),
    metrics: { contentType: 'text/plain', render: async () => '' },
    errors: recordErrors(),
    draining: () => false,
    version: '1.2.3',
    config: {},
    history: { body: { since: new Date(0).toISOString(), terms: [] }, onTerm: () => () => {} },
    async explain(question) {
      asked.push(question);
      return { outcome: { kind: 'answered', status: 200 } } as unknown as Explained;
    },
    ...options,
  });
  return await app.listen({ host: '127.0.0.1', port });
}

/** Listens where a listener was before. */
async function listenAgain(url: string): Promise<void> {
  await listen({}, Number(new URL(url).port));
}

/** A server that says this to whoever comes. */
async function listenAsStranger(text: string): Promise<string> {
  stranger = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(text));
  });
  stranger.listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  return `http://127.0.0.1:${(stranger.address() as { port: number }).port}`;
}

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[], environment: Record<string, string> = {}): Promise<Result> {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code] = await once(child, 'close');
  return { code: code as number | null, out, err };
}

const given = (admin: string | undefined, options: Record<string, unknown> = {}, file?: string): Given => ({
  sources: { flags: admin === undefined ? {} : { admin }, ...(file === undefined ? {} : { file }) },
  options,
  args: [],
  commandLine: () => {
    throw new Error('not asked for');
  },
});

describe('the address', () => {
  test('is by default the default of the configuration', async () => {
    const { host, port } = loadConfig({}).admin.listen;
    expect(DEFAULT_ORIGIN).toBe(`http://${formatHostPort({ host, port })}`);
    expect(await adminAddress(given(undefined), {})).toMatchObject({ origin: DEFAULT_ORIGIN, tls: {} });
  });

  test.each([
    ['127.0.0.1:1234', 'http://127.0.0.1:1234'],
    ['https://Gateway-1:9888/', 'https://gateway-1:9888'],
    ['[::1]:9888', 'http://[::1]:9888'],
    ['gateway-1', 'http://gateway-1:80'],
  ])('is what --admin %s says', async (told, origin) => {
    expect((await adminAddress(given(told), {})).origin).toBe(origin);
  });

  test.each(['ftp://x', 'http://x/path', 'http://user@x', 'x y'])('%j is no address', async (told) => {
    await expect(adminAddress(given(told), {})).rejects.toThrow('--admin: expected the URL');
  });

  test('is that of the configuration, from the environment or a file, with its token', async () => {
    const token = join(folder, 'token');
    writeFileSync(token, `${TOKEN}\n`);
    const file = join(folder, 'gateway.yaml');
    writeFileSync(
      file,
      `admin: { listen: "0.0.0.0:1234", tokenFile: ${token}, health: { listen: "[::]:1235" } }\n`,
    );
    expect(await adminAddress(given(undefined, {}, file), {})).toMatchObject({
      origin: 'http://127.0.0.1:1234',
    });
    expect((await adminAddress(given(undefined, {}, file), {})).token()).toBe(TOKEN);
    expect(await adminAddress(given(undefined, {}, file), {}, true)).toMatchObject({
      origin: 'http://[::1]:1235',
    });
    const listen = { DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:77' };
    expect((await adminAddress(given(undefined), listen)).origin).toBe('http://127.0.0.1:77');
    const more = { ...listen, DRUID_GATEWAY__ADMIN__TOKEN_FILE: token };
    expect((await adminAddress(given(undefined), more)).token()).toBe(TOKEN);
    expect((await adminAddress(given('a:1', {}, file), {})).token()).toBeNull();
  });

  test('a token of a file counts before one of the environment', async () => {
    const file = join(folder, 'other-token');
    writeFileSync(file, 'from-the-file\n');
    const environment = { DRUID_GATEWAY_TOKEN: 'from-the-environment' };
    expect((await adminAddress(given('a:1'), environment)).token()).toBe('from-the-environment');
    expect((await adminAddress(given('a:1', { tokenFile: file }), environment)).token()).toBe(
      'from-the-file',
    );
    const { token } = await adminAddress(given('a:1', { tokenFile: '/none' }), {});
    expect(token).toThrow('/none cannot be read (ENOENT)');
  });
});

describe('what goes wrong is said in one line, with what to do', () => {
  const said = async (answer: Promise<unknown>): Promise<string> =>
    answer.then(
      () => 'nothing',
      (error: Error) => error.message,
    );
  const ask = async (origin: string, token: string | null = null): Promise<string> =>
    said(
      askAdmin(
        { origin, token: () => token, tls: {} },
        { method: 'POST', acts: true, path: `/brokers/${BROKER}/cordon` },
      ),
    );

  test('nothing listens', async () => {
    expect(await ask('http://127.0.0.1:1')).toBe(
      'nothing listens at http://127.0.0.1:1; is the gateway running? --admin URL names another address',
    );
  });

  test('a token is needed, or wrong', async () => {
    const origin = await listen({ token: TOKEN });
    expect(await ask(origin)).toBe(
      `${origin} takes this only with its token: --token-file FILE, or DRUID_GATEWAY_TOKEN in the environment`,
    );
    expect(await ask(origin, 'another')).toContain('does not take this token');
    expect(await ask(origin, TOKEN)).toBe('nothing');
  });

  test('a refusal is handed on, and cannot act on the terminal', async () => {
    const body = JSON.stringify({ errorMessage: 'no\u001b[2J, not here' });
    const origin = await listenAsStranger(
      `HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(await ask(origin)).toBe(`${origin} refuses with 403: no\\u001b[2J, not here`);
  });

  test('a path that is not there, and a Broker that is not', async () => {
    const origin = await listen();
    const nowhere = askAdmin({ origin, token: () => null, tls: {} }, { method: 'GET', path: '/nothing' });
    expect(await said(nowhere)).toBe(
      `${origin} has no such path (404); is it the admin listener of a gateway of this version? --admin URL names it`,
    );
    const other = askAdmin(
      { origin, token: () => null, tls: {} },
      { method: 'POST', path: '/brokers/a:1/drain' },
    );
    expect(await said(other)).toBe(`${origin} refuses with 404: no such Broker`);
  });

  test('it is the listener for clients, and not the admin listener', async () => {
    const body = JSON.stringify({ errorMessage: 'No such path.', context: { reason: 'path_unknown' } });
    const origin = await listenAsStranger(
      `HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(await ask(origin)).toContain('is it the admin listener of a gateway of this version? --admin URL');
  });

  test.each([
    [
      'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>',
      'answers 200 without JSON; is it the admin listener',
    ],
    ['HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\n{}', 'refuses with 302'],
    ['SSH-2.0-OpenSSH\r\n', 'answers with something that is no HTTP'],
    ['', 'ends the connection without an answer; it may take HTTPS only'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{', 'ends the connection without an answer'],
  ])('%j', async (text, sentence) => {
    expect(await ask(await listenAsStranger(text))).toContain(sentence);
  });

  test('no answer in time', async () => {
    stranger = createServer(() => {});
    stranger.listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const origin = `http://127.0.0.1:${(stranger.address() as { port: number }).port}`;
    const late = askAdmin(
      { origin, token: () => null, tls: {} },
      { method: 'GET', path: '/status', timeoutMs: 50 },
    );
    expect(await said(late)).toContain('does not answer in time');
  });
});

describe('HTTPS', () => {
  const ask = async (options: Record<string, unknown>, file?: string): Promise<string> => {
    const address = await adminAddress(given(file === undefined ? url : undefined, options, file), {});
    return askAdmin(address, { method: 'GET', path: '/status' }).then(
      ({ status }) => String(status),
      (error: Error) => error.message,
    );
  };
  let url: string;

  test('is trusted by an authority that is named, by none else', async () => {
    const pem = readFileSync(certificates.server, 'utf8');
    url = await listen({ tls: { key: pem, cert: pem, requestCert: false } });
    expect(await ask({ ca: certificates.ca })).toBe('200');
    for (const options of [{}, { ca: certificates.strangerCa }]) {
      expect(await ask(options)).toMatch(/cannot be trusted \(\w+\); --ca FILE names the authority/);
    }
  });

  test('with a configuration, the certificate that it names is trusted, and only that', async () => {
    const pem = readFileSync(certificates.server, 'utf8');
    url = await listen({ tls: { key: pem, cert: pem, requestCert: false } });
    const file = join(folder, 'tls.yaml');
    const config = (cert: string): string =>
      `admin: { listen: "${new URL(url).host}", tls: { certFile: ${cert}, keyFile: ${certificates.server} } }\n`;
    writeFileSync(file, config(certificates.server));
    expect(await ask({}, file)).toBe('200');
    writeFileSync(file, config(certificates.clientCert));
    expect(await ask({}, file)).toContain('cannot be');
  });

  test('a certificate is shown where one is asked for', async () => {
    const pem = readFileSync(certificates.server, 'utf8');
    const ca = readFileSync(certificates.ca, 'utf8');
    url = await listen({
      tls: { key: pem, cert: pem, ca, requestCert: true, rejectUnauthorized: true } as never,
    });
    const { clientCert: cert, clientKey: key } = certificates;
    expect(await ask({ ca: certificates.ca, cert, key })).toBe('200');
    expect(await ask({ ca: certificates.ca })).not.toBe('200');
    await expect(adminAddress(given(url, { cert }), {})).rejects.toThrow('--cert and --key come together');
  });
});

describe('commands', () => {
  test('status prints a table, without colours where it is no terminal, or JSON', async () => {
    const url = await listen();
    const { code, out, err } = await run(['status', '--admin', url]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`druid-gateway 1.2.3 at ${url}`);
    expect(out).toMatch(/^coordinator {2}serving +10\.0\.0\.1:8081 +12 /m);
    expect(out).not.toContain('\x1b');
    const json = await run(['status', '--json', '--admin', url]);
    expect(JSON.parse(json.out)).toMatchObject({ version: '1.2.3' });
  });

  test('nothing is cut in a pipe', async () => {
    const why = `left out: ${'a reason with many words, '.repeat(10)}and an end`;
    cluster.show({
      brokers: [{ node: node(BROKER), service: 's', ready: false, cordoned: false, ejected: true, why }],
    });
    const { out } = await run(['status', '--admin', await listen()]);
    expect(out).toContain(why);
  });

  test('status of what has a /status of its own, as every node of Druid, is refused', async () => {
    const body = JSON.stringify({ version: '33.0.0', modules: [], memory: {} });
    const origin = await listenAsStranger(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const { code, out, err } = await run(['status', '--admin', origin]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(`druid-gateway: ${origin} is no admin listener of a gateway; --admin URL names it\n`);
  });

  test('brokers cordons, drains and returns, with the token from the environment', async () => {
    const url = await listen({ token: TOKEN });
    const environment = { DRUID_GATEWAY_TOKEN: TOKEN };
    for (const [action, state] of [
      ['cordon', 'is cordoned'],
      ['drain', 'is drained'],
      ['return', 'is back'],
    ] as const) {
      expect(await run(['brokers', action, BROKER, '--admin', url], environment)).toEqual({
        code: 0,
        out: `${BROKER} ${state}; requests under way: 0\n`,
        err: '',
      });
      expect(cluster.view.cordoned.has(BROKER)).toBe(action !== 'return');
    }
    const { code, err } = await run(['brokers', 'cordon', BROKER, '--admin', url]);
    expect(code).toBe(1);
    expect(err).toMatch(/^druid-gateway: [^\n]* token[^\n]*\n$/);
  });

  test('a drain that takes longer than it may ends with 1', async () => {
    const url = await listen();
    cluster.view.brokers[0]?.node.recount(2);
    expect(await run(['brokers', 'drain', BROKER, '--timeout', '100ms', '--admin', url])).toEqual({
      code: 1,
      out: `${BROKER} is cordoned and not drained yet; requests under way: 2\n`,
      err: '',
    });
  });

  test('explain sends method, path, headers and body as they are given', async () => {
    const url = await listen();
    const file = join(folder, 'query.json');
    writeFileSync(file, Buffer.from([0, 1, 0xff]));
    const { code, out } = await run([
      ...['explain', 'post', '/druid/v2?x=1', '--data', `@${file}`, '--client', '10.1.2.3'],
      ...['--header', 'X-Team: ads', '--header', 'X-Team:b', '--admin', url],
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/^outcome {3}answered by the gateway itself with 200\n/);
    expect(asked).toEqual([
      {
        method: 'POST',
        target: '/druid/v2?x=1',
        headers: 'X-Team: ads\r\nX-Team: b\r\nHost: druid-gateway\r\nContent-Length: 3\r\n',
        body: Buffer.from([0, 1, 0xff]).toString('base64'),
        client: '10.1.2.3',
      },
    ]);
  });

  test('what only reads shows no token, and does not read its file', async () => {
    const url = await listen();
    const shown: unknown[] = [];
    app?.server.on('request', ({ headers }) => shown.push(headers.authorization));
    const args = ['status', '--admin', url, '--token-file', '/none'];
    expect(await run(args, { DRUID_GATEWAY_TOKEN: TOKEN })).toMatchObject({ code: 0 });
    expect(shown).toEqual([undefined]);
    expect(await run(['brokers', 'cordon', BROKER, '--admin', url, '--token-file', '/none'])).toMatchObject({
      code: 1,
      err: 'druid-gateway: /none cannot be read (ENOENT)\n',
    });
  });

  test('history and health', async () => {
    const url = await listen({ notLive: () => 'event_loop_stuck' });
    expect(await run(['history', '--admin', url])).toMatchObject({ code: 0, err: '' });
    expect(await run(['health', '--ready', '--admin', url])).toEqual({ code: 0, out: 'ready\n', err: '' });
    expect(await run(['health', '--admin', url])).toEqual({
      code: 1,
      out: '',
      err: 'druid-gateway: not live: event_loop_stuck\n',
    });
    expect(await run(['health'], { DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:1' })).toMatchObject({ code: 1 });
  });

  test.each([
    [['brokers', 'stop', BROKER], 'ACTION is stop; expected one of cordon, drain, return'],
    [['brokers', 'drain'], "missing required argument 'NAME'"],
    [['brokers', 'drain', BROKER, '--timeout', 'soon'], '--timeout: expected a duration'],
    [['brokers', 'cordon', BROKER, '--timeout', '1s'], '--timeout goes with drain only'],
    [['explain', 'GET'], "missing required argument 'PATH'"],
    [['explain', 'GET', '/', '--header', 'x'], '--header: expected NAME:VALUE'],
    [['explain', 'GET', '/', '--data', '@/none'], '--data: /none cannot be read (ENOENT)'],
    [['status', '--admin', 'http://x/y'], '--admin: expected the URL'],
    [['health', '--cert', 'x'], '--cert and --key come together'],
    [['completion', 'tcsh'], 'SHELL is tcsh; expected one of bash, zsh, fish'],
    [['status', '--data', 'x'], '--data goes with explain only'],
  ])('%j is misuse: code 2 and one sentence', async (args, sentence) => {
    const { code, out, err } = await run(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^druid-gateway: [^\n]+\n$/);
    expect(err).toContain(sentence);
  });

  test('--watch shows it again, and goes on while the gateway is away', async () => {
    const url = await listen();
    const child = spawn(process.execPath, [MAIN, 'status', '--watch', '--admin', url], {
      env: { PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')]);
    };
    await until(() => out.split('druid-gateway 1.2.3').length > 2);
    await app?.close();
    app = null;
    await until(() => err.includes('druid-gateway: nothing listens at'));
    child.stdout.destroy();
    await listenAgain(url);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
