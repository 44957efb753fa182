import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as requestTls } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { createGateway, type Gateway, type GatewayAddresses } from '../../../src/gateway/gateway.ts';
import { type Certificates, makeCertificates } from '../../kit/net/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-access-'));
const TOKEN = 'a-token-of-some-length';
let certificates: Certificates;
let gateway: Gateway | null;
let lines: Record<string, unknown>[];

beforeAll(async () => {
  certificates = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  gateway = null;
  lines = [];
});
afterEach(() => gateway?.stop());

function create(keys: Record<string, string>): Gateway {
  const settings = {
    DISCOVERY__TYPE: 'static',
    STATIC__BROKERS: 'http://127.0.0.1:1',
    LISTEN: '127.0.0.1:0',
    ADMIN__LISTEN: '127.0.0.1:0',
    SHUTDOWN__DRAIN: '0',
    ...keys,
  };
  const environment = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`DRUID_GATEWAY__${key}`, value]),
  );
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return createGateway(loadConfig({ environment }), { logger: pino({}, stream), version: '0' });
}

async function start(keys: Record<string, string>): Promise<GatewayAddresses> {
  gateway = create(keys);
  return gateway.start();
}

function tokenFile(text: string): string {
  const path = join(folder, 'token');
  writeFileSync(path, text);
  return path;
}

const local = (url: string): string => url.replace('0.0.0.0', '127.0.0.1');

test('a listener for all the network lets those act who have the token, and probes ask another one', async () => {
  const { admin, health = '' } = await start({
    ADMIN__LISTEN: '0.0.0.0:0',
    ADMIN__TOKEN_FILE: tokenFile(`${TOKEN}\n`),
    ADMIN__HEALTH__LISTEN: '127.0.0.1:0',
  });
  const act = `${local(admin)}/brokers/127.0.0.1:1/cordon`;
  expect((await fetch(act, { method: 'POST' })).status).toBe(401);
  const headers = { authorization: `Bearer ${TOKEN}` };
  expect((await fetch(act, { method: 'POST', headers })).status).toBe(200);
  expect((await fetch(`${health}/health/live`)).status).toBe(200);
  expect((await fetch(`${health}/status`)).status).toBe(404);
  expect((await fetch(`${health}/brokers/127.0.0.1:1/return`, { method: 'POST', headers })).status).toBe(404);
  const status = await (await fetch(`${local(admin)}/status`)).text();
  expect(status).toContain('tokenFile');
  expect(status).not.toContain(TOKEN);
});

test('dangerous settings are told at the start, and by a metric', async () => {
  const { admin } = await start({
    ADMIN__LISTEN: '0.0.0.0:0',
    ADMIN__TOKEN_FILE: tokenFile(TOKEN),
    ROUTES__ALLOW: '/druid',
  });
  const told = lines.filter(({ msg }) => msg === 'dangerous setting');
  expect(told.map(({ setting, why }) => [setting, String(why).length > 40])).toEqual([
    ['internal_paths_open', true],
    ['admin_token_in_clear', true],
  ]);
  const metrics = await (await fetch(`${local(admin)}/metrics`)).text();
  expect(metrics).toContain('druid_gateway_dangerous_settings{setting="internal_paths_open"} 1');
  expect(metrics).toContain('druid_gateway_dangerous_settings{setting="admin_token_in_clear"} 1');
});

test.each(['short', '', 'two words that are long enough', 'a-tökén-of-söme-length'])(
  'a token %j is refused at the start, without repeating it',
  (text) => {
    const keys = { ADMIN__TOKEN_FILE: tokenFile(text) };
    expect(() => create(keys)).toThrow(/admin\.tokenFile: .* must hold a token of 16 characters or more/);
    if (text !== '') expect(() => create(keys)).not.toThrow(text);
  },
);

test('with client certificates only those whom the authority knows get anything', async () => {
  const { ca, server, strangerCa, clientCert, clientKey } = certificates;
  const { admin } = await start({
    ADMIN__LISTEN: '0.0.0.0:0',
    ADMIN__TLS__CERT_FILE: server,
    ADMIN__TLS__KEY_FILE: server,
    ADMIN__TLS__CA_FILE: ca,
    ADMIN__TLS__REQUIRE_CLIENT_CERTIFICATE: 'true',
  });
  expect(admin).toMatch(/^https:/);
  const port = Number(new URL(admin).port);
  const pem = (path: string): Buffer => readFileSync(path);
  const ask = async (client: object, request: object = {}): Promise<number | string> => {
    const sent = requestTls({
      host: '127.0.0.1',
      port,
      path: '/status',
      agent: false,
      ca: pem(ca),
      ...client,
      ...request,
    });
    sent.end();
    try {
      const [response] = await once(sent, 'response');
      return response.statusCode;
    } catch {
      return 'cut';
    }
  };
  expect(await ask({ cert: pem(clientCert), key: pem(clientKey) })).toBe(200);
  // Our own page over TLS is one of https, and a page of http on the same port is not ours.
  const act = (scheme: string) =>
    ask(
      { cert: pem(clientCert), key: pem(clientKey) },
      {
        method: 'POST',
        path: '/brokers/127.0.0.1:1/cordon',
        headers: { origin: `${scheme}://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' },
      },
    );
  expect(await act('http')).toBe(403);
  expect(await act('https')).toBe(200);
  expect(await ask({})).toBe('cut');
  expect(await ask({ cert: pem(strangerCa), key: pem(strangerCa.replace('.pem', '.key')) })).toBe('cut');
  const plain = connect(port, '127.0.0.1').on('error', () => {});
  plain.resume().write('GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await once(plain, 'close');
  expect(plain.bytesRead).toBe(0);
});
