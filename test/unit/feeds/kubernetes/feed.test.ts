import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { textAt } from '../../../../src/discovery/json-fields.ts';
import type { KubernetesFeedOptions } from '../../../../src/feeds/kubernetes/feed.ts';
import { WRITER_ANNOTATION } from '../../../../src/feeds/kubernetes/slices.ts';
import { type FakeApiServer, startFakeApiServer } from '../../../kit/kubernetes/fake-api-server.ts';
import { node } from '../../admin/fakes.ts';
import { FedGateway, SHORT, type SlicesApi, Stored, soon } from './rig.ts';

let server: FakeApiServer;
let api: SlicesApi;
let stored: Stored;
let gateways: FedGateway[];

beforeEach(async () => {
  server = await startFakeApiServer();
  api = { target: { server: server.url, tokenFile: null, caFile: null }, namespace: 'druid' };
  stored = new Stored(api);
  gateways = [];
});

afterEach(async () => {
  await Promise.all(gateways.map((one) => one.close()));
  // Each request had a connection of its own.
  await soon(() => expect(server.openSockets).toBe(0));
  await server.close();
});

const gateway = (identity = 'one', change: Partial<KubernetesFeedOptions> = {}): FedGateway => {
  const made = new FedGateway(api, identity, change);
  gateways.push(made);
  return made;
};

const writerOf = (object: unknown): string => textAt(object, 'metadata', 'annotations', WRITER_ANNOTATION);

test('of several gateways whose links come and go only the holder of the Lease ever writes', async () => {
  const wrong: string[] = [];
  const terms: string[] = [];
  server.onWrite = (kind, object) => {
    if (kind !== 'endpointslices') return;
    const holder = textAt(server.get('leases', 'druid', 'c-endpoints'), 'spec', 'holderIdentity');
    const [writer = ''] = writerOf(object).split('/');
    if (writer !== holder) wrong.push(`${writer} wrote while ${holder} held the Lease`);
    if (terms.at(-1) !== writerOf(object)) terms.push(writerOf(object));
  };
  const several = ['one', 'two', 'three'].map((identity) => gateway(identity, SHORT));
  for (const each of several) each.feed.start();
  for (let i = 0; terms.length < 2 || i < 90; i++) {
    // Each believes in another leader, and all of them change their minds all the time.
    for (const [n, each] of several.entries())
      each.lead('coordinator', node(`10.0.${n}.${1 + (i % 200)}:8081`), i);
    const holder = several.find(({ feed }) => feed.counts.holder);
    if (i % 30 === 9 && holder !== undefined) holder.away = true;
    for (const each of several) if (each !== holder && each.away && i % 30 === 20) each.away = false;
    await pause(20);
  }
  expect(wrong).toEqual([]);
  expect(new Set(terms).size).toBe(terms.length);
  expect(terms.length).toBeGreaterThan(1);
});

test('what a former holder still has under way is refused once the next one has written', async () => {
  const [one, two] = [gateway('one', SHORT), gateway('two', SHORT)];
  one.lead('coordinator', node('10.0.0.1:8081'));
  // What the next one wants is there already.
  two.lead('coordinator', node('10.0.0.1:8081'));
  one.feed.start();
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081'));
  two.feed.start();
  const late = Promise.withResolvers<void>();
  server.hold = async ({ path }, object) => {
    if (path.endsWith('/c-ipv4') && writerOf(object).startsWith('one/')) await late.promise;
  };
  one.lead('coordinator', node('10.0.0.66:8081'), 2);
  await soon(() => expect(one.sent.at(-1)).toBe('update EndpointSlice c-ipv4'));
  one.away = true;
  await two.holds();
  await soon(() => expect(two.feed.counts.writes).toBe(1));
  late.resolve();
  await pause(50);
  expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081');
  expect(two.feed.counts.writes).toBe(1);
});

test('a renewal that was stored, but whose answer was lost, costs nothing', async () => {
  const one = gateway();
  one.feed.start();
  await one.holds();
  let lost = 0;
  server.onWrite = (kind) => {
    if (kind === 'leases' && lost++ < 2) server.cut();
  };
  await soon(() => expect(lost).toBeGreaterThan(4));
  await one.holds();
  expect(server.get('leases', 'druid', 'c-endpoints')).toMatchObject({ spec: { leaseTransitions: 0 } });
});

test('what changed while a renewal came too late is written once it has come', async () => {
  const one = gateway('one', SHORT);
  one.lead('coordinator', node('10.0.0.1:8081'));
  one.feed.start();
  await soon(() => expect(one.feed.counts.writes).toBe(1));
  const late = Promise.withResolvers<void>();
  server.hold = ({ path }) => (path.includes('/leases') ? late.promise : Promise.resolve());
  await vi.waitFor(() => expect(one.feed.counts.holder).toBe(false), { timeout: 20_000, interval: 1 });
  one.lead('coordinator', node('10.0.0.2:8081'), 2);
  await pause(5);
  late.resolve();
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.2:8081'));
});

test('a Lease that is deleted or taken by force is noticed by its holder', async () => {
  const one = gateway();
  one.feed.start();
  await one.holds();
  server.remove('leases', 'druid', 'c-endpoints');
  await soon(async () => expect(await stored.holder()).toBe('one'));
  const lease = await stored.get('Lease', 'c-endpoints');
  const spec = { holderIdentity: 'somebody', leaseDurationSeconds: 1, leaseTransitions: 7 };
  server.put('leases', 'druid', { ...lease, metadata: { name: 'c-endpoints' }, spec } as never);
  await soon(() => expect(one.feed.counts.holder).toBe(false));
  one.lead('coordinator', node('10.0.0.1:8081'));
  await pause(100);
  expect(server.get('endpointslices', 'druid', 'c-ipv4')).toBeNull();
  // Nothing is heard of that one again.
  await one.holds();
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081'));
  expect(server.get('leases', 'druid', 'c-endpoints')).toMatchObject({ spec: { leaseTransitions: 8 } });
});

test('missing rights are said once, with what is missing and where it is described', async () => {
  server.deniedVerbs.add('get leases');
  const one = gateway();
  one.lead('coordinator', node('10.0.0.1:8081'));
  one.feed.start();
  await soon(() => expect(one.sent.length).toBeGreaterThan(2));
  const user = 'User "system:serviceaccount:druid:gateway"';
  const rights = '(docs/view.md says which rights are needed)';
  expect(one.warnings).toEqual([
    `Lease c-endpoints: the API server answered 403: leases.coordination.k8s.io "c-endpoints" is forbidden: ${user} cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "druid" ${rights}`,
  ]);
  expect(one.feed.counts).toMatchObject({ up: false, holder: false });
  server.deniedVerbs.clear();
  server.deniedVerbs.add('create endpointslices');
  await soon(() => expect(one.warnings).toHaveLength(2));
  expect(one.warnings[1]).toContain(
    `EndpointSlice c-ipv4: the API server answered 403: endpointslices.discovery.k8s.io is forbidden`,
  );
  expect(one.warnings[1]).toContain(rights);
  server.deniedVerbs.clear();
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081'));
  await soon(() => expect(one.feed.counts.up).toBe(true));
  expect(one.warnings).toHaveLength(2);
});

test('a namespace that is not there is said', async () => {
  server.namespaces = new Set(['default']);
  const one = gateway();
  one.feed.start();
  await soon(() =>
    expect(one.warnings).toEqual([
      'Lease c-endpoints: the API server answered 404: namespaces "druid" not found',
    ]),
  );
});

test('a server that fails is asked less and less often, and not before it says', async () => {
  server.script = ({ path }, response) => {
    if (!path.includes('endpointslices')) return false;
    response.writeHead(429, { 'retry-after': '1' }).end('{}');
    return true;
  };
  const one = gateway();
  one.lead('coordinator', node('10.0.0.1:8081'));
  one.feed.start();
  await soon(() => expect(one.warnings).toHaveLength(1));
  for (let i = 0; i < 10; i++) one.lead('coordinator', node(`10.0.0.${i + 2}:8081`), i + 2);
  await pause(200);
  const asked = (): number =>
    one.sent.filter((what) => what === 'get EndpointSlice c-ipv4' || what === 'get EndpointSlice c-ipv6')
      .length;
  expect(asked()).toBe(1);
  server.script = null;
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.11:8081'));
});

test('a short doubt is not written, and a long one is', async () => {
  const one = gateway('one', { emptyAfterMs: 300 });
  const leader = node('10.0.0.1:8081');
  one.lead('coordinator', leader);
  one.feed.start();
  await soon(() => expect(one.feed.counts.writes).toBe(1));
  one.lead('coordinator', null);
  await pause(10);
  one.lead('coordinator', leader, 2);
  await pause(350);
  expect(one.feed.counts.writes).toBe(1);
  const began = performance.now();
  one.lead('coordinator', null);
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe(''));
  expect(performance.now() - began).toBeGreaterThan(290);
  expect(one.feed.counts.writes).toBe(2);
});

test('a leader is at the address of its pod, else at that of its name; one without an address is nowhere', async () => {
  const one = gateway('one', { intervalMs: 50 });
  const leader = node('m1.example.com:8081');
  leader.reachAt('10.1.1.1');
  one.lead('coordinator', leader);
  one.feed.start();
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.1.1.1:8081'));
  // The pod is another one.
  leader.reachAt('10.1.1.2');
  one.lead('coordinator', leader);
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.1.1.2:8081'));
  one.lead('coordinator', node('m2.example.com:8081'), 2);
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.99:8081'));
  one.lookup = async () => {
    throw new Error('ENOTFOUND');
  };
  one.lead('coordinator', node('m3.example.com:8081'), 3);
  await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe(''));
  await soon(() => expect(one.warnings.at(-1)).toBe('the host of m3.example.com:8081 cannot be resolved'));
  one.lead('coordinator', node('127.0.0.1:8081'), 4);
  await soon(() =>
    expect(one.warnings.at(-1)).toBe(
      '127.0.0.1:8081 is at 127.0.0.1, which Kubernetes takes for no endpoint',
    ),
  );
});

test('who knows nothing yet, or has lost its source, leaves the Lease to others', async () => {
  const one = gateway();
  one.cluster.show({ complete: false });
  one.feed.start();
  await pause(4 * SHORT.retryMs);
  expect(one.sent).toEqual([]);
  one.cluster.show({ complete: true });
  await one.holds();
  const state = (name: 'suspended' | 'lost' | 'connected'): void => {
    one.discovery.become({ state: name, since: 0, detail: null });
    one.cluster.show({});
  };
  state('suspended');
  await pause(4 * SHORT.retryMs);
  await one.holds();
  state('lost');
  await soon(async () => expect(await stored.holder()).toBe(''));
  expect(one.feed.counts.holder).toBe(false);
  state('suspended');
  await pause(4 * SHORT.retryMs);
  expect(one.feed.counts.holder).toBe(false);
  state('connected');
  await one.holds();
});

test('a gateway ends soon though the server answers nothing any more', async () => {
  const one = gateway();
  one.feed.start();
  await one.holds();
  server.frozen = true;
  await pause(2 * SHORT.retryMs);
  const began = performance.now();
  await one.feed.close();
  expect(performance.now() - began).toBeLessThan(5_000);
  server.frozen = false;
  server.cut();
});
