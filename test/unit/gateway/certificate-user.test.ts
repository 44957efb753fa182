import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { createServing, type Serving } from '../../../src/gateway/create-serving.ts';
import { FakeCluster } from '../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { type Certificates, makeCertificates } from '../../kit/net/certificates.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-user-'));
const BASIC = `Basic ${Buffer.from('alice:pw').toString('base64')}`;

let files: Certificates;
let druid: FakeUpstream;
let serving: Serving;
let lines: Record<string, unknown>[];
let port: number;

beforeAll(async () => {
  files = await makeCertificates(folder);
  await sign('service', '/O=Example', 'URI:spiffe://example.com/service,DNS:service.example.com');
  await sign('nameless', '/O=Example', 'IP:127.0.0.1');
  druid = await startUpstream((_, socket) => void socket.write(json([])));
}, 60_000);
afterEach(() => serving.stop({ delay: 0, drain: 100 }));
afterAll(async () => {
  await druid.close();
  rmSync(folder, { recursive: true });
});

/** A client's certificate with this subject and these alternative names. */
async function sign(name: string, subject: string, alternatives: string): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${alternatives}\n`);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  await openssl('req', ...key, '-subj', subject, '-out', `${name}.csr`);
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  const extensions = ['-extfile', `${name}.ext`, '-out', `${name}.pem`];
  await openssl('x509', '-req', '-days', '2', '-in', `${name}.csr`, ...authority, ...extensions);
}

function config(express: boolean, user: boolean): Config {
  const file = join(folder, 'gateway.yaml');
  const { server, ca } = files;
  const tls = `{ certFile: ${server}, keyFile: ${server}, caFile: ${ca}, requireClientCertificate: true }`;
  const yaml = [
    `listen: { host: 127.0.0.1, port: 0, tls: ${tls} }`,
    `doors: { express: ${express} }`,
    `log: { user: ${user} }`,
  ];
  writeFileSync(file, yaml.join('\n'));
  return loadConfig({ file });
}

async function begin(express: boolean, user = true): Promise<void> {
  lines = [];
  druid.script = (_, socket) => void socket.write(json([]));
  const cluster = new FakeCluster();
  cluster.brokers(druid.origin);
  serving = createServing({
    config: config(express, user),
    cluster,
    logger: pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line)) }),
    sink() {},
    errors: recordErrors(),
  });
  ({ port } = await serving.listen());
}

function client(name: string): Agent {
  const at = (kind: string): Buffer => readFileSync(join(folder, `${name}.${kind}`));
  return new Agent({ keepAlive: true, ca: readFileSync(files.ca), cert: at('pem'), key: at('key') });
}

async function ask(agent: Agent, options: RequestOptions = {}): Promise<number | undefined> {
  const sent = request({ host: '127.0.0.1', port, path: '/druid/v2/datasources', agent, ...options });
  sent.end();
  const [response] = await once(sent, 'response');
  await text(response);
  return response.statusCode;
}

/** Of the first requests, as the access log has them. */
async function users(count: number): Promise<unknown[]> {
  const requests = (): typeof lines => lines.filter(({ msg }) => msg === 'request');
  while (requests().length < count) await new Promise((resolve) => setTimeout(resolve, 2));
  return requests().map(({ user }) => user);
}

describe.each([true, false])('with the express door %s, a client with a certificate', (express) => {
  test('is named by it, on each request of its connection, unless Druid knows it by another name', async () => {
    await begin(express);
    const agent = client('client');
    for (const headers of [{}, {}, { authorization: BASIC }, { authorization: 'Bearer x' }]) {
      expect(await ask(agent, { headers })).toBe(200);
    }
    agent.destroy();
    expect(await users(4)).toEqual(['client', 'client', 'alice', 'client']);
  });

  test.each([
    ['service', 'spiffe://example.com/service'],
    ['nameless', undefined],
  ])(
    'without a common name is named by the first other name that says who it is (%s)',
    async (name, user) => {
      await begin(express);
      const agent = client(name);
      expect(await ask(agent)).toBe(200);
      agent.destroy();
      expect(await users(1)).toEqual([user]);
    },
  );

  test('that has left is named all the same', async () => {
    await begin(express);
    const held = new Promise<void>((resolve) => {
      druid.script = () => resolve();
    });
    const agent = client('client');
    const sent = request({ host: '127.0.0.1', port, path: '/druid/v2/datasources', agent });
    sent.on('error', () => {}).end();
    await held;
    sent.destroy();
    agent.destroy();
    expect(await users(1)).toEqual(['client']);
    expect(lines.at(-1)).toMatchObject({ status: 499, end: 'client_gone' });
  });

  test('is named from the reload on that asks for it', async () => {
    await begin(express, false);
    const agent = client('client');
    expect(await ask(agent, { headers: { authorization: BASIC } })).toBe(200);
    serving.reload(config(express, true));
    expect(await ask(agent)).toBe(200);
    agent.destroy();
    expect(await users(2)).toEqual([undefined, 'client']);
  });
});
