import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { NodeTls } from '../../../src/cluster/node.ts';
import { createProbeClient, type ProbeClient } from '../../../src/cluster/probe.ts';
import { createPageAgent } from '../../../src/doors/console/page-agent.ts';
import { createUpstreamProbes } from '../../../src/upstream/probes.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { type Certificates, makeCertificates } from '../../kit/net/certificates.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const KINDS = { 'node:http': createProbeClient, 'our own client': createUpstreamProbes(recordErrors()) };
const HERE = '127.0.0.1';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-address-'));
let pems: Certificates;
let secure: https.Server;
let tls: NodeTls;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  pems = await makeCertificates(folder);
  const pem = await readFile(pems.server);
  secure = https.createServer({ key: pem, cert: pem }, (_, response) => response.end('true'));
  await new Promise<void>((resolve) => secure.listen(0, HERE, resolve));
  tls = { ca: await readFile(pems.ca, 'utf8'), rejectUnauthorized: true };
});
afterAll(() => {
  secure.closeAllConnections();
  secure.close();
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A node that calls itself by a name that nobody can resolve. */
async function nodeWithName(): Promise<{ readonly node: FakeUpstream; readonly origin: string }> {
  const node = await startUpstream((_, socket) => socket.write(json(true)));
  closing.push(() => node.close());
  return { node, origin: `http://broker-0.druid.invalid:${node.port}` };
}

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('probes by %s', (kind) => {
  function clientAt(address: string | null, more: { tls?: NodeTls } = {}): ProbeClient {
    const client = KINDS[kind]({ timeoutMs: 2_000, addressOf: () => address, ...more });
    closing.push(() => client.close());
    return client;
  }

  test('go to the address of a node, and ask by its name', async () => {
    const { node, origin } = await nodeWithName();
    expect(await clientAt(HERE).probe(origin, '/status/health')).toMatchObject({ status: 200, body: 'true' });
    expect(node.requests[0]?.header('host')).toBe(`broker-0.druid.invalid:${node.port}`);
  });

  test('resolve the name of a node that has no address', async () => {
    const { origin } = await nodeWithName();
    expect((await clientAt(null).probe(origin, '/status/health')).kind).not.toBe('answer');
  });

  test('check the name by TLS, not the address', async () => {
    const { port } = secure.address() as AddressInfo;
    const client = clientAt(HERE, { tls });
    expect(await client.probe(`https://localhost:${port}`, '/')).toMatchObject({ status: 200, body: 'true' });
    expect(await client.probe(`https://broker-0.druid.invalid:${port}`, '/')).toMatchObject({
      kind: 'refused',
      why: 'its certificate is not trusted (ERR_TLS_CERT_ALTNAME_INVALID)',
    });
  });
});

describe('pages of the console', () => {
  function agent(more: { tls?: NodeTls } = {}) {
    const made = createPageAgent({
      errors: recordErrors(),
      connectTimeoutMs: 2_000,
      keepAliveTimeoutMs: 1_000,
      addressOf: () => HERE,
      ...more,
    });
    closing.push(() => made.destroy());
    return made;
  }

  test('come from the address of a node, asked for by its name', async () => {
    const { node, origin } = await nodeWithName();
    const { statusCode, body } = await agent().request({ origin, path: '/', method: 'GET' });
    expect([statusCode, await body.text()]).toEqual([200, 'true']);
    expect(node.requests[0]?.header('host')).toBe(`broker-0.druid.invalid:${node.port}`);
  });

  test('are not taken from a node whose certificate has another name', async () => {
    const { port } = secure.address() as AddressInfo;
    const asked = agent({ tls });
    const answer = await asked.request({ origin: `https://localhost:${port}`, path: '/', method: 'GET' });
    expect(await answer.body.text()).toBe('true');
    await expect(
      asked.request({ origin: `https://broker-0.druid.invalid:${port}`, path: '/', method: 'GET' }),
    ).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });
});
