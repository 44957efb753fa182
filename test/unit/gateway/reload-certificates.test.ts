import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { createGateway } from '../../../src/gateway/gateway.ts';
import { type RunningGateway, startGatewayFromSources } from '../../kit/gateway/gateway-process.ts';
import { until } from '../../kit/gateway/two-workers.ts';
import { makeCertificates } from '../../kit/net/certificates.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-certificates-'));
const inUse = join(folder, 'in-use.pem');
/** Two certificates, each with its key in one file. */
const PEMS: string[] = [];
let gateway: RunningGateway | null;

beforeAll(async () => {
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    PEMS.push((await makeCertificates(join(folder, name))).server);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  gateway = null;
  copyFileSync(PEMS[0] ?? '', inUse);
});
afterEach(() => gateway?.stop());

const certificate = (i: number): X509Certificate => {
  const [pem = ''] = /-----BEGIN CERTIFICATE[\s\S]+/.exec(readFileSync(PEMS[i] ?? '', 'utf8')) ?? [];
  return new X509Certificate(pem);
};
const fingerprint = (i: number): string => certificate(i).fingerprint256;

async function open(url: string): Promise<TLSSocket> {
  const { port } = new URL(url);
  const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}

/** The certificate that a new connection is shown. */
async function shown(url: string): Promise<string> {
  const socket = await open(url);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.resume().write('GET /status/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  await once(socket, 'close');
  return fingerprint256;
}

/** Whether a connection that is open already is still answered. */
async function answers(socket: TLSSocket): Promise<boolean> {
  socket.write('GET /status/health HTTP/1.1\r\nHost: a\r\n\r\n');
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString().startsWith('HTTP/1.1 200');
}

/** The key of one with the certificate of the other. */
function mixed(): string {
  const [one = '', two = ''] = PEMS.map((file) => readFileSync(file, 'utf8'));
  const key = /-----BEGIN PRIVATE KEY[\s\S]+?END PRIVATE KEY-----/;
  return two.replace(key, key.exec(one)?.[0] ?? '');
}

test.each([1, 2])(
  'with %i workers new connections are shown a certificate that was replaced, and the others go on',
  async (workers) => {
    const keys = {
      WORKERS: String(workers),
      DISCOVERY__TYPE: 'static',
      STATIC__BROKERS: 'http://127.0.0.1:1',
      LISTEN__TLS__CERT_FILE: inUse,
      LISTEN__TLS__KEY_FILE: inUse,
      RELOAD__INTERVAL: '100ms',
    };
    const running = await startGatewayFromSources(keys);
    gateway = running;
    const url = running.url.replace('http:', 'https:');
    const successful = (): Promise<number> => running.metric('druid_gateway_config_last_reload_successful');
    const ends = `druid_gateway_certificate_expiry_timestamp_seconds{file="${inUse}"}`;
    expect(await running.metric(ends)).toBe(Date.parse(certificate(0).validTo) / 1000);
    const before = await open(url);
    expect(await answers(before)).toBe(true);
    expect(await shown(url)).toBe(fingerprint(0));

    writeFileSync(inUse, mixed());
    await until(() => running.log().includes('key values mismatch'));
    expect([await successful(), await shown(url)]).toEqual([0, fingerprint(0)]);

    copyFileSync(PEMS[1] ?? '', inUse);
    await until(() => running.log().includes('"configuration reloaded"'));
    for (let i = 0; i < 10; i++) expect(await shown(url)).toBe(fingerprint(1));
    expect([await successful(), await answers(before)]).toEqual([1, true]);
    expect(await running.metric(ends)).toBe(Date.parse(certificate(1).validTo) / 1000);
    before.destroy();
  },
);

test('the admin listener shows the new certificate, too, and neither does if one of them is wrong', async () => {
  const forAdmin = join(folder, 'admin.pem');
  copyFileSync(PEMS[0] ?? '', forAdmin);
  const keys = {
    DISCOVERY__TYPE: 'static',
    STATIC__BROKERS: 'http://127.0.0.1:1',
    LISTEN: '127.0.0.1:0',
    ADMIN__LISTEN: '127.0.0.1:0',
    LISTEN__TLS__CERT_FILE: inUse,
    LISTEN__TLS__KEY_FILE: inUse,
    ADMIN__TLS__CERT_FILE: forAdmin,
    ADMIN__TLS__KEY_FILE: forAdmin,
  };
  const settings = Object.entries(keys).map(([key, value]) => [`DRUID_GATEWAY__${key}`, value]);
  const config = loadConfig({ environment: Object.fromEntries(settings) as Record<string, string> });
  const inProcess = createGateway(config, { logger: pino({ level: 'silent' }), version: '0' });
  try {
    const { listen, admin } = await inProcess.start();
    copyFileSync(PEMS[1] ?? '', inUse);
    writeFileSync(forAdmin, mixed());
    expect(await inProcess.reload('signal')).toEqual({
      reloaded: false,
      problems: [`the certificate ${forAdmin} and the key ${forAdmin} cannot be used (key values mismatch)`],
    });
    expect([await shown(listen), await shown(admin)]).toEqual([fingerprint(0), fingerprint(0)]);
    copyFileSync(PEMS[1] ?? '', forAdmin);
    expect(await inProcess.reload('signal')).toMatchObject({ reloaded: true });
    expect([await shown(listen), await shown(admin)]).toEqual([fingerprint(1), fingerprint(1)]);
  } finally {
    await inProcess.stop();
  }
});
