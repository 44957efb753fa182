import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Certificates, makeCertificates } from '../kit/net/certificates.ts';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';
import { connectWriter } from '../kit/zookeeper/zookeeper-writer.ts';
import { brokersOf, closeAll, discover, populate, until } from './fixture.ts';

let folder: string;
let certificates: Certificates;
let ensemble: Ensemble;
let secure: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-tls-'));
  certificates = await makeCertificates(folder);
  const { server, ca } = certificates;
  ensemble = await startEnsemble({ servers: 1, tls: { keyStore: server, trustStore: ca } });
  secure = `127.0.0.1:${ensemble.servers[0]?.securePort}`;
  await populate(await connectWriter(ensemble.connect));
});

afterAll(async () => {
  await ensemble.close();
  await rm(folder, { recursive: true });
});
afterEach(closeAll);

test('TLS with a client certificate', async () => {
  const { ca, clientCert, clientKey } = certificates;
  const tls = {
    ca: await readFile(ca),
    cert: await readFile(clientCert),
    key: await readFile(clientKey),
  };
  const discovery = discover(secure, { tls });
  await until(discovery, () => discovery.snapshot.complete);
  expect(brokersOf(discovery)).toEqual(['127.0.0.1:8082']);
});

test('a server that an unknown authority signed is refused', async () => {
  const discovery = discover(secure, { tls: { ca: await readFile(certificates.strangerCa) } });
  // A server that is busy for the first time may have been too slow before.
  await until(discovery, () => /CERT|UNABLE_TO_VERIFY/.test(discovery.status.detail ?? ''));
  expect(discovery.status.state).toBe('connecting');
});

test('without a client certificate the server does not let us in', async () => {
  const discovery = discover(secure, { tls: { ca: await readFile(certificates.ca) } });
  await until(discovery, () => discovery.status.detail !== null);
  expect(discovery.status.state).toBe('connecting');
  expect(discovery.snapshot.complete).toBe(false);
});

test('plain text to a TLS port is a status that says so, not a hang', async () => {
  const discovery = discover(secure);
  await until(discovery, () => discovery.status.detail !== null);
  expect(discovery.status.state).toBe('connecting');
});

test('certificates that cannot be read are an error at once, without their content', () => {
  expect(() => discover(secure, { tls: { cert: 'SECRET', key: 'SECRET' } })).toThrow(
    /certificate, key or CA for ZooKeeper cannot be used \(\w+\)$/,
  );
});
