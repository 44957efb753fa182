import { ACL, Id, Permission } from 'node-zookeeper-client';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Session } from '../../src/discovery/zookeeper/session.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';
import { startProxy } from '../kit/net/tcp-proxy.ts';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';
import { connectWriter, type Writer } from '../kit/zookeeper/zookeeper-writer.ts';
import { BROKERS, brokersOf, closeAll, discover, LATCHES, latchOf, populate, until } from './fixture.ts';

let ensemble: Ensemble;
let writer: Writer;

beforeAll(async () => {
  ensemble = await startEnsemble({ servers: 1 });
  writer = await connectWriter(ensemble.connect);
});

afterAll(async () => {
  writer.close();
  await ensemble.close();
});

afterEach(closeAll);

const server = () => {
  const [first] = ensemble.servers;
  if (first === undefined) throw new Error('no server');
  return first;
};

test('nothing there is a complete view of nothing, and nodes are seen as they come and go', async () => {
  const discovery = discover(ensemble.connect);
  await until(discovery, () => discovery.snapshot.complete);
  expect(latchOf(discovery)).toEqual([]);
  expect(brokersOf(discovery)).toEqual([]);

  await populate(writer);
  await until(discovery, () => brokersOf(discovery).length === 1 && latchOf(discovery).length === 1);
  expect(discovery.snapshot.announcements.overlord).toMatchObject([
    { role: 'overlord', origin: 'http://127.0.0.1:8090', service: 'druid/overlord' },
  ]);

  // The next in line has a name that sorts before the leader's: only its number counts.
  const second = await writer.elect(LATCHES.coordinator, 'http://127.0.0.1:8181');
  await until(discovery, () => latchOf(discovery).length === 2);
  expect(latchOf(discovery)).toEqual(['http://127.0.0.1:8081', 'http://127.0.0.1:8181']);

  const added = await writer.announce(BROKERS, 'broker', 8182);
  await until(discovery, () => brokersOf(discovery).length === 2);
  await writer.remove(added);
  await until(discovery, () => brokersOf(discovery).length === 1);
  await writer.remove(second);
  await until(discovery, () => latchOf(discovery).length === 1);
});

test('a node that is replaced within one transaction is read again, and others are not', async () => {
  const folder = '/replaced/internal-discovery/BROKER';
  const stays = await writer.announce(folder, 'broker', 9000);
  const path = await writer.announce(folder, 'broker', 9001, 'druid/cold');
  const discovery = discover(ensemble.connect, { basePath: '/replaced', coordinatorPath: '/replaced/c' });
  const services = (): string[] => discovery.snapshot.announcements.broker.map(({ service }) => service);
  await until(discovery, () => services().join() === 'druid/broker,druid/cold');
  const json = (service: string): Buffer =>
    Buffer.from(
      JSON.stringify({ nodeType: 'broker', druidNode: { service, host: '127.0.0.1', plaintextPort: 9001 } }),
    );
  await new Promise<void>((resolve, reject) => {
    writer.client
      .transaction()
      .remove(path)
      .create(path, json('druid/hot'))
      .commit((error) => (error ? reject(error) : resolve()));
  });
  await until(discovery, () => services().join() === 'druid/broker,druid/hot');
  // Nobody does that, and until the next poll nobody sees it: what was read of a node that stays is kept.
  await new Promise<void>((resolve, reject) => {
    writer.client.setData(path, json('druid/warm'), (error) => (error ? reject(error) : resolve()));
  });
  await writer.remove(stays);
  await until(discovery, () => services().length === 1);
  expect(services()).toEqual(['druid/hot']);
});

test('containers that vanish and come back are followed', async () => {
  const discovery = discover(ensemble.connect, { basePath: '/vanishing', coordinatorPath: '/vanishing/c' });
  await until(discovery, () => discovery.snapshot.complete);
  for (const round of [1, 2, 3]) {
    const child = await writer.announce('/vanishing/internal-discovery/BROKER', 'broker', 9000 + round);
    await until(discovery, () => brokersOf(discovery).length === 1);
    await writer.remove(child);
    await until(discovery, () => brokersOf(discovery).length === 0);
    await writer.remove('/vanishing/internal-discovery/BROKER');
  }
  const faults: string[] = [];
  discovery.on('fault', (fault) => faults.push(fault));
  await writer.announce('/vanishing/internal-discovery/BROKER', 'broker', 9004);
  await until(discovery, () => brokersOf(discovery)[0] === '127.0.0.1:9004');
  expect(faults).toEqual([]);
});

test('a path that is watched itself and for its children, as one created between two reads, counts as one', async () => {
  await writer.put('/twice', Buffer.of());
  const session = new Session({
    servers: [{ host: '127.0.0.1', port: server().port }],
    chroot: null,
    sessionTimeoutMs: 20_000,
    credentials: null,
    tls: null,
    maxReconnectDelayMs: 2_000,
    errors: recordErrors(),
    now: Date.now,
    random: Math.random,
  });
  const connected = new Promise<void>((resolve) => session.on('connected', resolve));
  session.start();
  await connected;
  const watcher = () => {};
  expect(await session.exists('/twice', watcher)).toBe(true);
  expect(await session.getChildren('/twice', watcher)).toEqual([]);
  expect(session.stats.watches).toBe(1);
  await session.close();
  await writer.remove('/twice');
});

test('chroot, base path and a Coordinator path of its own', async () => {
  await populate(writer, '/root');
  await writer.elect('/root/elsewhere/_COORDINATOR', 'http://127.0.0.1:8281');
  const rooted = discover(`${ensemble.connect}/root`);
  await until(rooted, () => rooted.snapshot.complete);
  expect(latchOf(rooted)).toEqual(['http://127.0.0.1:8081']);
  expect(brokersOf(rooted)).toEqual(['127.0.0.1:8082']);
  const based = discover(ensemble.connect, {
    basePath: '/root/druid',
    coordinatorPath: '/root/elsewhere',
  });
  await until(based, () => based.snapshot.complete);
  expect(latchOf(based)).toEqual(['http://127.0.0.1:8281']);
  expect(brokersOf(based)).toEqual(['127.0.0.1:8082']);
  // Watches see through the chroot, too.
  await writer.announce('/root/druid/internal-discovery/BROKER', 'broker', 8382);
  await until(rooted, () => brokersOf(rooted).length === 2);
});

describe('digest authentication', () => {
  // What `druid.zk.service.acl=true` makes of every znode.
  async function protect(path: string): Promise<void> {
    const creatorAll = [new ACL(Permission.ALL, new Id('auth', ''))];
    await new Promise<void>((resolve, reject) => {
      secured.client.setACL(path, creatorAll, -1, (error) => (error ? reject(error) : resolve()));
    });
  }
  let secured: Writer;

  beforeAll(async () => {
    secured = await connectWriter(ensemble.connect, 'druid:secret');
    await populate(secured, '/acl');
    for (const path of [
      '/acl/druid/internal-discovery/BROKER/127.0.0.1:8082',
      '/acl/druid/overlord/_OVERLORD',
    ])
      await protect(path);
  });
  afterAll(() => secured.close());

  test('with user and password everything is read, also after a reconnect', async () => {
    const auth = { scheme: 'digest', user: 'druid', password: 'secret' };
    const discovery = discover(`${ensemble.connect}/acl`, { auth });
    await until(discovery, () => discovery.snapshot.complete);
    expect(brokersOf(discovery)).toEqual(['127.0.0.1:8082']);
    const { readAt } = discovery.snapshot;
    await server().kill('SIGKILL');
    await until(discovery, () => discovery.status.state !== 'connected');
    await server().start();
    await until(discovery, () => discovery.status.state === 'connected');
    await secured.put('/acl/druid/internal-discovery/BROKER/probe', 'not json');
    const fault = new Promise((resolve) => discovery.once('fault', resolve));
    await expect(fault).resolves.toContain('probe');
    expect(discovery.snapshot.readAt).toBeGreaterThan(readAt);
    await secured.remove('/acl/druid/internal-discovery/BROKER/probe');
  });

  test('with a wrong password the faults say what is refused, and nothing hangs', async () => {
    const auth = { scheme: 'digest', user: 'druid', password: 'wrong-password' };
    const discovery = discover(`${ensemble.connect}/acl`, { auth });
    const faults = new Set<string>();
    await new Promise<void>((resolve) => {
      discovery.on('fault', (fault) => {
        faults.add(fault);
        if (faults.size === 2) resolve();
      });
    });
    expect([...faults].toSorted()).toEqual([
      '/druid/internal-discovery/BROKER/127.0.0.1:8082 cannot be read: access is refused',
      '/druid/overlord/_OVERLORD cannot be read: access is refused',
    ]);
    // The rest is read all the same.
    await until(discovery, () => discovery.snapshot.announcements.coordinator.length === 1);
    expect(discovery.snapshot.complete).toBe(false);
  });

  test('a scheme that the server does not know is a status, and no end', async () => {
    const discovery = discover(ensemble.connect, {
      auth: { scheme: 'unheard-of', user: 'druid', password: 'do-not-show' },
    });
    const details: (string | null)[] = [];
    discovery.on('status', ({ detail }) => details.push(detail));
    await until(discovery, () => details.length > 0);
    expect(details).toEqual(['the server refused the authentication']);
    expect(discovery.status.state).not.toBe('closed');
  });
});

describe('the server', () => {
  test('is killed and started on the same data: the session goes on', async () => {
    const discovery = discover(ensemble.connect);
    await until(discovery, () => discovery.snapshot.complete);
    const before = brokersOf(discovery);
    const states = new Set<string>();
    discovery.on('status', ({ state }) => states.add(state));
    await server().kill('SIGKILL');
    await until(discovery, () => discovery.status.state === 'suspended');
    expect(brokersOf(discovery)).toEqual(before);
    await server().start();
    await until(discovery, () => discovery.status.state === 'connected');
    expect([...states]).toEqual(['suspended', 'connected']);
    const added = await writer.announce(BROKERS, 'broker', 8482);
    await until(discovery, () => brokersOf(discovery).includes('127.0.0.1:8482'));
    await writer.remove(added);
  });

  test('freezes: noticed within the session timeout, lost after another, found again when it thaws', async () => {
    const discovery = discover(ensemble.connect, { sessionTimeoutMs: 4_000 });
    await until(discovery, () => discovery.snapshot.complete);
    const before = brokersOf(discovery);
    const began = performance.now();
    await server().kill('SIGSTOP');
    try {
      await until(discovery, () => discovery.status.state === 'suspended');
      expect(performance.now() - began).toBeLessThan(4_000);
      await until(discovery, () => discovery.status.state === 'lost');
      expect(brokersOf(discovery)).toEqual(before);
    } finally {
      await server().kill('SIGCONT');
    }
    await until(discovery, () => discovery.status.state === 'connected');
  });

  test('is not there at the start: that is a status, and it is found when it comes', async () => {
    await server().kill('SIGKILL');
    const discovery = discover(ensemble.connect);
    await until(discovery, () => discovery.status.detail?.includes('ECONNREFUSED') === true);
    expect(discovery.status.state).toBe('connecting');
    await server().start();
    await until(discovery, () => discovery.snapshot.complete);
  });

  test('loses all its data: a fresh session reads what there is now', async () => {
    const discovery = discover(ensemble.connect, { sessionTimeoutMs: 2_000 });
    await until(discovery, () => discovery.snapshot.complete);
    await server().kill('SIGKILL');
    await server().start(true);
    await until(discovery, () => discovery.status.state === 'connected' && brokersOf(discovery).length === 0);
    const fresh = await connectWriter(ensemble.connect);
    await fresh.announce(BROKERS, 'broker', 8582);
    await until(discovery, () => brokersOf(discovery)[0] === '127.0.0.1:8582');
    fresh.close();
  });
});

/** The server's own book, as soon as nobody but so many sessions is in it, each watching the same paths. */
async function pathsWatchedBy(sessions: number): Promise<number> {
  return vi.waitFor(
    async () => {
      const book = await server().ask('wchs');
      const [, connections, paths, total] =
        /^(\d+) connections watching (\d+) paths\s+Total watches:(\d+)/.exec(book) ?? [];
      expect([Number(connections), Number(total)]).toEqual([sessions, sessions * Number(paths)]);
      return Number(paths);
    },
    { timeout: 30_000 },
  );
}

test('100 reconnects leave as many watches and listeners as one', async () => {
  const discovery = discover(ensemble.connect);
  await until(discovery, () => discovery.snapshot.complete);
  const { watches } = discovery.sessionStats;
  const listeners = (): number[] => discovery.eventNames().map((name) => discovery.listenerCount(name));
  const before = listeners();
  const paths = await pathsWatchedBy(1);
  const proxy = await startProxy(server().port);
  const through = discover(`127.0.0.1:${proxy.port}`, { maxReconnectDelayMs: 10 });
  await until(through, () => through.snapshot.complete);
  for (let i = 0; i < 100; i++) {
    proxy.cut();
    await until(through, () => through.status.state !== 'connected');
    await until(through, () => through.status.state === 'connected');
  }
  const { readAt } = through.snapshot;
  await until(through, () => through.snapshot.readAt >= readAt && through.sessionStats.watches === watches);
  expect(through.sessionStats).toEqual({ reconnects: 100, watches });
  expect(listeners()).toEqual(before);
  expect(await pathsWatchedBy(2)).toBe(paths);
  await proxy.close();
});
