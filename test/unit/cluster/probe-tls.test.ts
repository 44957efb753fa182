import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlain, type Server } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createReadiness } from '../../../src/cluster/brokers/readiness.ts';
import { createProbeClient, type ProbeClient } from '../../../src/cluster/probe.ts';
import { createUpstreamProbes } from '../../../src/upstream/probes.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { type Certificates, makeCertificates } from '../../kit/net/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-probe-'));
let certificates: Certificates;
let told: [string, string][];
let closing: (() => Promise<unknown>)[];

beforeAll(async () => {
  certificates = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  told = [];
  closing = [];
});
afterEach(() => Promise.all(closing.map((close) => close())));

const pem = (path: string): string => readFileSync(path, 'utf8');

async function listen(server: Server, host: string): Promise<string> {
  server.listen(0, host);
  await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `https://${host}:${(server.address() as AddressInfo).port}`;
}

function node(options: ServerOptions = {}, host = '127.0.0.1'): Promise<string> {
  const both = pem(certificates.server);
  const answer = createServer({ cert: both, key: both, ...options }, (_, response) => response.end('true'));
  return listen(answer as unknown as Server, host);
}

/** Both kinds of probes say the same. */
const KINDS = { 'node:http': createProbeClient, 'our own client': createUpstreamProbes(recordErrors()) };

function client(kind: keyof typeof KINDS, ca: string): ProbeClient {
  const made = KINDS[kind]({
    timeoutMs: 5_000,
    tls: { ca: pem(ca), rejectUnauthorized: true },
    onTlsFault: (origin, why) => told.push([origin, why]),
  });
  closing.push(() => made.close());
  return made;
}

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('by %s', (kind) => {
  test.each<[string, () => Promise<string>, 'ca' | 'strangerCa', RegExp]>([
    [
      'of another authority',
      () => node(),
      'strangerCa',
      /^its certificate is not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)$/,
    ],
    [
      'that a node signed itself',
      () => node({ cert: pem(certificates.strangerCa), key: pem(join(folder, 'stranger.key')) }),
      'ca',
      /^its certificate is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
    ],
    [
      'for another name',
      () => node({}, '127.0.0.2'),
      'ca',
      /^its certificate is not trusted \(ERR_TLS_CERT_ALTNAME_INVALID\)$/,
    ],
    ['that is none: plain HTTP', () => listen(createPlain(), '127.0.0.1'), 'ca', /^TLS failed \([\w/]+\)$/],
    [
      'that we have not got',
      () => node({ requestCert: true, ca: pem(certificates.ca), maxVersion: 'TLSv1.2' }),
      'ca',
      /^TLS failed \([\w/]+\)$/,
    ],
  ])('a certificate %s has its own word, told once', async (_, start, ca, why) => {
    const origin = await start();
    const { probe } = client(kind, certificates[ca]);
    const readiness = createReadiness(probe, origin, () => 0);
    for (let i = 0; i < 3; i++) {
      const { ready, why: said } = await readiness.ask();
      expect(ready).toBe(false);
      expect(said.replace(/^readiness: /, '')).toMatch(why);
    }
    expect(told).toEqual([[origin, expect.stringMatching(why)]]);
  });

  test('a certificate that is trusted is not told of', async () => {
    const origin = await node();
    const { probe } = client(kind, certificates.ca);
    expect(await probe(origin, '/')).toMatchObject({ kind: 'answer', body: 'true' });
    expect(told).toEqual([]);
  });
});
