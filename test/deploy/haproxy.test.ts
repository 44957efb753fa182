import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { Addresses } from '../../src/feeds/addresses.ts';
import { HaproxyFeed } from '../../src/feeds/haproxy/feed.ts';
import { parseServers } from '../../src/feeds/haproxy/servers.ts';
import { askHaproxy } from '../../src/feeds/haproxy/socket.ts';
import { PublishedView } from '../../src/feeds/published-view.ts';
import { run } from '../../tools/deploy-tools/run.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';
import { testPorts } from '../kit/net/ports.ts';
import { FakeCluster, FakeDiscovery, leaderless, serving } from '../unit/admin/fakes.ts';
import { brokerAt, client, loopbackNodes, report, startEngine, swaps } from './engines.ts';
import { DEPLOY, HAS_HAPROXY, haproxyProgram, readDeployed, scratchFolder } from './tools.ts';

const WAIT = { timeout: 20_000, interval: 20 };
const EXAMPLE = join(DEPLOY, 'haproxy/haproxy.cfg');

/** The example on this machine: other ports, one gateway, and a frontend for the leader. */
async function exampleHere(changes: {
  readonly socket: string;
  readonly port: number;
  readonly leaderPort: number;
  readonly gateway: string;
}): Promise<string> {
  const example = await readFile(EXAMPLE, 'utf8');
  const here = example
    .replace('/run/haproxy/admin.sock', changes.socket)
    .replace('bind :8888', `bind 127.0.0.1:${changes.port}`)
    .replaceAll('127.0.0.1:8887', changes.gateway)
    .replaceAll(/^ +server gateway2 .*\n/gm, '');
  return `${here}
frontend test-leader
    bind 127.0.0.1:${changes.leaderPort}
    default_backend druid-coordinator
`;
}

interface Rig {
  readonly cluster: FakeCluster;
  readonly feed: HaproxyFeed;
  readonly nodes: Awaited<ReturnType<typeof loopbackNodes>>;
  readonly haproxy: ChildProcess;
  readonly queries: ReturnType<typeof client>;
  readonly leader: ReturnType<typeof client>;
  /** Starts another one in its place. */
  restart(): void;
  /** Servers of a backend that may get requests, as `address`. */
  ready(backend: string): Promise<string[]>;
}

/** A running HAProxy with the example, a node at 127.9.9.9 for its gateway, and a feed that has begun. */
async function rig(): Promise<Rig> {
  const folder = await scratchFolder();
  const nodes = await loopbackNodes();
  const [port = 0, leaderPort = 0] = await testPorts(2);
  const socket = join(folder, 'admin.sock');
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, await exampleHere({ socket, port, leaderPort, gateway: `127.9.9.9:${nodes.port}` }));
  // A master with a worker, which a signal reloads.
  const start = (): ChildProcess => startEngine(haproxyProgram(), ['-W', '-f', file]);
  const haproxy = start();
  const cluster = new FakeCluster();
  cluster.show({ complete: true });
  const errors = recordErrors();
  const published = new PublishedView({
    cluster,
    discovery: new FakeDiscovery(),
    draining: () => false,
    errors,
  });
  const { feeds } = loadConfig({ file: join(DEPLOY, 'haproxy/gateway.yaml') });
  const backends = feeds.haproxy?.backends ?? { brokers: [] };
  const ask = (line: string): Promise<string> => askHaproxy(socket, line, 2_000);
  const feed = new HaproxyFeed({
    published,
    backends,
    serverOptions: '',
    intervalMs: 250,
    ask,
    addresses: new Addresses(),
    candidates: () => [],
    logger: {
      info() {},
      warn: (fields) => void process.stderr.write(`${JSON.stringify(fields)}\n`),
    },
    errors,
  });
  feed.start();
  onTestFinished(async () => {
    await feed.close();
    published.close();
    expect(errors.lines).toEqual([]);
  });
  await vi.waitFor(() => expect(feed.counts.up).toBe(true), WAIT);
  return {
    cluster,
    feed,
    nodes,
    haproxy,
    queries: client(`http://127.0.0.1:${port}`),
    leader: client(`http://127.0.0.1:${leaderPort}`),
    restart: () => void start(),
    async ready(backend) {
      const servers = parseServers(await ask(`show servers state ${backend}`));
      return servers
        .filter(({ name, state }) => !name.startsWith('gateway') && state === 'ready')
        .map(({ address }) => address)
        .toSorted();
    },
  };
}

test('the configuration of the gateway beside it is valid', async () => {
  const names = loadConfig({ file: join(DEPLOY, 'haproxy/gateway.yaml') }).feeds.haproxy?.backends;
  const example = await readFile(EXAMPLE, 'utf8');
  for (const name of [names?.coordinator, names?.overlord, names?.brokers[0]?.backend]) {
    expect(example).toContain(`\nbackend ${name}\n`);
  }
  expect(await readDeployed('haproxy/gateway.yaml')).toMatchObject({ feeds: {} });
});

describe.runIf(HAS_HAPROXY)('a running HAProxy', () => {
  test.each(['haproxy.cfg', 'gateways.cfg'])('takes %s as it is', async (name) => {
    const folder = await scratchFolder();
    const file = join(folder, name);
    // Names that only the reader's machines have.
    const example = await readFile(join(DEPLOY, 'haproxy', name), 'utf8');
    await writeFile(file, example.replaceAll(/gateway-(\d)/g, '127.0.0.$1'));
    const checked = await run(haproxyProgram(), ['-c', '-f', file]);
    expect([checked?.code, checked?.stderr]).toEqual([0, expect.not.stringMatching(/WARNING|ALERT/)]);
  });

  test('sends requests to the new leader as soon as it is known, and none to the former one', async () => {
    const { cluster, leader, nodes, ready } = await rig();
    // While nobody leads a gateway has them.
    expect(await leader()).toMatchObject({ status: 200, from: '127.9.9.9' });
    const leaders = [nodes.at('127.2.0.1'), nodes.at('127.2.0.2')] as const;
    const took = await swaps(cluster, () => leader(), leaders, 20);
    report('HAProxy', took);
    // Some 3 ms where two cores have nothing else to do; one that another process held up does not count.
    expect(took[10]).toBeLessThan(15);
    expect(took[18]).toBeLessThan(50);
    cluster.lead(leaderless('coordinator'));
    await vi.waitFor(async () => expect(await ready('druid-coordinator')).toEqual([]), WAIT);
    expect(await leader()).toMatchObject({ status: 200, from: '127.9.9.9', complete: true });
  });

  test('has queries for Brokers, and leaves everything else to gateways', async () => {
    const { cluster, nodes, queries, ready } = await rig();
    expect((await queries()).from).toBe('127.9.9.9');
    cluster.show({ brokers: [brokerAt(nodes.at('127.3.0.1')), brokerAt(nodes.at('127.3.0.2'))] });
    await vi.waitFor(async () => expect((await ready('druid-brokers')).length).toBe(2), WAIT);
    for (const path of ['/druid/v2', '/druid/v2/', '/druid/v2/sql', '/druid/v2/sql/?x=1']) {
      expect(await queries(path)).toMatchObject({ from: expect.stringMatching(/^127\.3/), complete: true });
    }
    for (const path of [
      '/druid/v2/sql/avatica/',
      '/druid/v2/sql/statements',
      '/druid/coordinator/v1/leader',
    ]) {
      expect((await queries(path)).from).toBe('127.9.9.9');
    }
    expect((await queries('/druid/v2/some-id', 'DELETE')).from).toBe('127.9.9.9');
    // A cordon: no new queries.
    cluster.show({
      brokers: [
        brokerAt(nodes.at('127.3.0.1'), { ready: false, cordoned: true }),
        brokerAt(nodes.at('127.3.0.2')),
      ],
    });
    await vi.waitFor(async () => expect(await ready('druid-brokers')).toEqual(['127.3.0.2']), WAIT);
    for (let i = 0; i < 20; i++) expect((await queries()).from).toBe('127.3.0.2');
  });

  test('is put right after it was reloaded, and after it was killed', async () => {
    const { cluster, nodes, haproxy, leader, ready, restart } = await rig();
    cluster.lead(serving('coordinator', nodes.at('127.2.0.1'), 1));
    cluster.show({ brokers: [brokerAt(nodes.at('127.3.0.1'))] });
    const isRight = async (): Promise<void> => {
      expect(await ready('druid-coordinator')).toEqual(['127.2.0.1']);
      expect(await ready('druid-brokers')).toEqual(['127.3.0.1']);
      expect((await leader()).from).toBe('127.2.0.1');
    };
    await vi.waitFor(isRight, WAIT);
    haproxy.kill('SIGUSR2');
    await vi.waitFor(async () => expect(await ready('druid-coordinator')).toEqual([]), {
      ...WAIT,
      interval: 1,
    });
    await vi.waitFor(isRight, WAIT);
    haproxy.kill('SIGKILL');
    await once(haproxy, 'exit');
    restart();
    await vi.waitFor(isRight, WAIT);
  });

  test('follows a thousand Brokers that come, go, and are cordoned, while it answers', async () => {
    const { cluster, feed, nodes, queries, ready } = await rig();
    const all = Array.from({ length: 1_000 }, (_, i) => nodes.at(`127.4.${i >> 8}.${i & 255}`));
    let answering = true;
    let answered = 0;
    const asking = (async () => {
      for (; answering; answered++) expect((await queries()).status).toBe(200);
    })();
    // A round takes out other Brokers each time, and cordons some.
    for (let round = 0; round < 10; round++) {
      cluster.show({
        brokers: all
          .filter((_, i) => (i * 7 + round * 131) % 10 > 2)
          .map((one, i) => brokerAt(one, (i + round) % 20 === 0 ? { ready: false, cordoned: true } : {})),
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { brokers } = cluster.view;
    const wanted = brokers
      .filter((one) => one.ready)
      .map((one) => one.node.hostAndPort.split(':')[0])
      .toSorted();
    await vi.waitFor(async () => expect(await ready('druid-brokers')).toEqual(wanted), WAIT);
    answering = false;
    await asking;
    expect(answered).toBeGreaterThan(10);
    for (let i = 0; i < 200; i++) expect(wanted).toContain((await queries()).from);
    await vi.waitFor(() => expect(feed.counts.up).toBe(true), WAIT);
  });
});
