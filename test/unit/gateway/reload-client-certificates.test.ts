import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { prepareTls } from '../../../src/discovery/zookeeper/tls.ts';
import { type RunningGateway, startGatewayFromSources } from '../../kit/gateway/gateway-process.ts';
import { until } from '../../kit/gateway/two-workers.ts';
import { type Certificates, makeCertificates } from '../../kit/net/certificates.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-client-certificates-'));
const inUse = { ca: join(folder, 'ca.pem'), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
/** Two authorities, each with a server and a client. */
const MADE: Certificates[] = [];
/** The client certificates that were shown, by path, the last of each. */
const shown = new Map<string, string>();

let gateway: RunningGateway | null;
/** A Coordinator and a Broker that want certificates, and close each connection behind its answer. */
let node: Server;

const pem = (file: string | undefined): string => readFileSync(file ?? '', 'utf8');
const made = (i: number): Certificates => MADE[i] as Certificates;
const fingerprint = (i: number): string => new X509Certificate(pem(made(i).clientCert)).fingerprint256;

function use(i: number, { keyOf = i }: { keyOf?: number } = {}): void {
  copyFileSync(made(i).clientCert, inUse.cert);
  copyFileSync(made(keyOf).clientKey, inUse.key);
  copyFileSync(made(i).ca, inUse.ca);
}

/** The node's own certificate, and whom it trusts: everybody's clients. */
const ofNode = (i: number) => ({
  cert: pem(made(i).server),
  key: pem(made(i).server),
  ca: [pem(made(0).ca), pem(made(1).ca)],
});

beforeAll(async () => {
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    MADE.push(await makeCertificates(join(folder, name)));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  gateway = null;
  use(0);
  shown.clear();
  const options = { ...ofNode(0), requestCert: true, rejectUnauthorized: true };
  node = createServer(options, (request, response) => {
    const socket = request.socket as TLSSocket;
    const { pathname } = new URL(request.url ?? '', 'https://node');
    shown.set(pathname, socket.getPeerX509Certificate()?.fingerprint256 ?? 'none');
    const { port } = node.address() as AddressInfo;
    response.setHeader('Connection', 'close');
    response.setHeader('Content-Type', 'application/json');
    if (pathname.endsWith('/leader')) response.end(`https://127.0.0.1:${port}`);
    else if (pathname.endsWith('/isLeader')) response.end('{"leader":true}');
    else response.end('true');
    request.resume();
  });
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
});

afterEach(async () => {
  await gateway?.stop();
  node.closeAllConnections();
  node.close();
});

async function asks({ url }: RunningGateway): Promise<number[]> {
  const query = { method: 'POST', body: '{"query":"SELECT 1"}' };
  const answers = [
    await fetch(`${url}/druid/v2/sql`, query),
    await fetch(`${url}/druid/coordinator/v1/datasources`),
    await fetch(`${url}/unified-console.html`),
  ];
  for (const answer of answers) await answer.text();
  return answers.map(({ status }) => status);
}

/** What a request, a page of the console and a probe showed. */
const BY_ALL = ['/druid/v2/sql', '/unified-console.html', '/druid/coordinator/v1/isLeader'];
const lastShown = (): (string | undefined)[] => BY_ALL.map((path) => shown.get(path));

test.each([1, 2])(
  'with %i workers nodes are shown a certificate that was replaced, and judged by the new authority',
  async (workers) => {
    const { port } = node.address() as AddressInfo;
    const running = await startGatewayFromSources({
      WORKERS: String(workers),
      DISCOVERY__TYPE: 'static',
      STATIC__BROKERS: `https://127.0.0.1:${port}`,
      STATIC__COORDINATORS: `https://127.0.0.1:${port}`,
      UPSTREAM__TLS__CA_FILE: inUse.ca,
      UPSTREAM__TLS__CERT_FILE: inUse.cert,
      UPSTREAM__TLS__KEY_FILE: inUse.key,
      LEADERSHIP__CONFIRM_INTERVAL: '200ms',
      RELOAD__INTERVAL: '100ms',
    });
    gateway = running;
    const ends = `druid_gateway_certificate_expiry_timestamp_seconds{file="${inUse.cert}"}`;
    const endOf = (i: number): number =>
      Date.parse(new X509Certificate(pem(made(i).clientCert)).validTo) / 1_000;
    expect(await asks(running)).toEqual([200, 200, 200]);
    expect(lastShown()).toEqual(BY_ALL.map(() => fingerprint(0)));
    expect(await running.metric(ends)).toBe(endOf(0));

    use(1, { keyOf: 0 });
    await until(() =>
      running.log().includes('the files of upstream.tls cannot be used (key values mismatch)'),
    );
    expect(await asks(running)).toEqual([200, 200, 200]);
    expect(lastShown()).toEqual(BY_ALL.map(() => fingerprint(0)));

    use(1);
    node.setSecureContext(ofNode(1));
    await until(() => running.log().includes('"configuration reloaded"'));
    await running.until(
      ({ brokers, leaders }) =>
        brokers.every(({ ready }) => ready) && leaders.coordinator.state === 'serving',
    );
    shown.clear();
    expect(await asks(running)).toEqual([200, 200, 200]);
    await until(() => shown.has('/druid/coordinator/v1/isLeader'));
    expect(lastShown()).toEqual(BY_ALL.map(() => fingerprint(1)));
    expect(await running.metric(ends)).toBe(endOf(1));
  },
);

test('ZooKeeper is shown what the texts are when a connection begins', async () => {
  const { port } = node.address() as AddressInfo;
  const texts = (i: number) => ({
    ca: pem(made(0).ca),
    cert: pem(made(i).clientCert),
    key: pem(made(i).clientKey),
  });
  const tls = texts(0);
  const prepared = prepareTls(tls);
  for (const i of [0, 1]) {
    Object.assign(tls, texts(i));
    const { secureContext, rejectUnauthorized } = prepared;
    const socket = connect({ host: '127.0.0.1', port, secureContext, rejectUnauthorized });
    await once(socket, 'secureConnect');
    socket.resume().write(`GET /${i} HTTP/1.1\r\nHost: node\r\n\r\n`);
    await once(socket, 'close');
    expect(shown.get(`/${i}`)).toBe(fingerprint(i));
  }
});
