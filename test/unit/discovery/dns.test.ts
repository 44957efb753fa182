import { afterEach, beforeEach, expect, test } from 'vitest';
import { createOriginRefusal } from '../../../src/discovery/allowed-origins.ts';
import type { Discovery } from '../../../src/discovery/discovery.ts';
import { createDnsDiscovery, type DnsDiscoveryOptions } from '../../../src/discovery/dns.ts';
import { hostsOf, until } from '../../kit/discovery/source-suite.ts';
import { type FakeDns, startFakeDns } from '../../kit/dns/fake-dns.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';

const BROKERS = '_http._tcp.druid-broker.druid.test';
const COORDINATORS = '_http._tcp.druid-coordinator.druid.test';
let server: FakeDns;
let errors: ReturnType<typeof recordErrors>;
const open: Discovery[] = [];

beforeEach(async () => {
  server = await startFakeDns();
  errors = recordErrors();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((discovery) => discovery.close()));
  await server.close();
  expect(errors.lines).toEqual([]);
});

function discover(options: Partial<DnsDiscoveryOptions> = {}): Discovery {
  const discovery = createDnsDiscovery({
    names: [
      { role: 'broker', name: BROKERS, service: 'druid/broker' },
      { role: 'coordinator', name: COORDINATORS, service: 'druid/coordinator' },
    ],
    scheme: 'http',
    intervalMs: 50,
    servers: [server.server],
    errors,
    timeoutMs: 300,
    ...options,
  });
  open.push(discovery);
  discovery.start();
  return discovery;
}

const connected = (discovery: Discovery) => (): boolean =>
  discovery.snapshot.complete && discovery.status.state === 'connected';

test('nodes are what SRV records name, with the addresses that the same server tells', async () => {
  server.srv.set(BROKERS, [
    { target: 'broker-0.druid.test', port: 8082 },
    { target: 'broker-1.druid.test', port: 8182 },
  ]);
  server.srv.set(COORDINATORS, [{ target: 'c0.druid.test', port: 8081 }]);
  server.a.set('broker-0.druid.test', '10.1.0.1');
  server.a.set('c0.druid.test', '10.1.0.2');
  const discovery = discover();
  await until(discovery, connected(discovery));
  const { announcements, latches } = discovery.snapshot;
  expect(announcements.broker).toMatchObject([
    { origin: 'http://broker-0.druid.test:8082', address: '10.1.0.1', service: 'druid/broker' },
    { origin: 'http://broker-1.druid.test:8182' },
  ]);
  expect(announcements.broker[1]).not.toHaveProperty('address');
  expect(announcements.coordinator).toMatchObject([{ origin: 'http://c0.druid.test:8081' }]);
  expect(latches).toBe(null);
});

test('names without records have no nodes, and nodes come and go with their records', async () => {
  const discovery = discover();
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toEqual([]);
  server.srv.set(BROKERS, [{ target: 'broker-0.druid.test', port: 8082 }]);
  await until(discovery, () => hostsOf(discovery)[0] === 'broker-0.druid.test:8082');
  server.srv.set(BROKERS, []);
  await until(discovery, () => hostsOf(discovery).length === 0);
});

test('a server that fails leaves what was known, and does not call it current', async () => {
  server.srv.set(BROKERS, [{ target: 'broker-0.druid.test', port: 8082 }]);
  const discovery = discover();
  await until(discovery, connected(discovery));
  server.failing = true;
  await until(discovery, () => discovery.status.state === 'suspended');
  expect(discovery.status.detail).toContain(`name ${BROKERS}: DNS cannot be asked (ESERVFAIL)`);
  expect(hostsOf(discovery)).toEqual(['broker-0.druid.test:8082']);
  server.failing = false;
  await until(discovery, connected(discovery));
});

test('nodes are judged by where they are reached', async () => {
  server.srv.set(BROKERS, [
    { target: 'broker-0.druid.test', port: 8082 },
    { target: 'broker-1.druid.test', port: 8082 },
  ]);
  server.a.set('broker-0.druid.test', '10.1.0.1');
  server.a.set('broker-1.druid.test', '10.6.0.1');
  const refusal = createOriginRefusal({ networks: ['10.1.0.0/16'], names: [], httpsOnly: false });
  const discovery = discover({ refusal });
  await until(discovery, connected(discovery));
  expect(hostsOf(discovery)).toEqual(['broker-0.druid.test:8082']);
});

test('a discovery that is closed asks no more', async () => {
  const discovery = discover();
  await until(discovery, connected(discovery));
  await discovery.close();
  const { asked } = server;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect([discovery.status.state, server.asked]).toEqual(['closed', asked]);
});
