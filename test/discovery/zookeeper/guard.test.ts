import { getActiveResourcesInfo } from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createZooKeeperDiscovery,
  type ZooKeeperDiscovery,
  type ZooKeeperDiscoveryOptions,
} from '../../../src/discovery/zookeeper/discovery.ts';
import { Session } from '../../../src/discovery/zookeeper/session.ts';
import { recordErrors } from '../../support/recorded-errors.ts';
import {
  framed,
  granted,
  noNode,
  notification,
  OP,
  replyHeader,
  type ScriptedZooKeeper,
  startScriptedZooKeeper,
} from '../../support/scripted-zookeeper.ts';

let zookeeper: ScriptedZooKeeper;
const open: ZooKeeperDiscovery[] = [];

beforeEach(async () => {
  zookeeper = await startScriptedZooKeeper();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((discovery) => discovery.close()));
  await zookeeper.close();
});

function discover(options: Partial<ZooKeeperDiscoveryOptions> = {}): ZooKeeperDiscovery {
  const discovery = createZooKeeperDiscovery({
    connect: `127.0.0.1:${zookeeper.port}`,
    sessionTimeoutMs: 1_000,
    basePath: '/druid',
    errors: recordErrors(),
    coordinatorPath: '/druid/coordinator',
    maxReconnectDelayMs: 20,
    ...options,
  });
  open.push(discovery);
  discovery.start();
  return discovery;
}

/** Until the server has got so many requests since they were last counted from 0. */
async function received(count: number): Promise<void> {
  while (zookeeper.requests.length < count) await new Promise((resolve) => setImmediate(resolve));
}

async function until(discovery: ZooKeeperDiscovery, holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        discovery.off('snapshot', look);
        discovery.off('status', look);
        resolve();
      };
      discovery.on('snapshot', look);
      discovery.on('status', look);
    });
  }
}

describe('the server', () => {
  test('accepts and says nothing: given up, and dialled again', async () => {
    zookeeper.onHandshake = () => {};
    const discovery = discover();
    await until(discovery, () => discovery.status.detail !== null);
    expect(discovery.status).toMatchObject({ state: 'connecting' });
    expect(discovery.status.detail).toContain('did not complete the handshake in time');
    zookeeper.onHandshake = null;
    await until(discovery, () => discovery.snapshot.complete);
  });

  test('answers with an error code that the library does not know: no crash, and another try', async () => {
    let throttled = 0;
    zookeeper.script = (request, reply, socket) => {
      if (throttled++ < 2) reply.error(-127);
      else noNode(request, reply, socket);
    };
    const discovery = discover();
    await until(discovery, () => discovery.snapshot.complete);
    expect(throttled).toBeGreaterThan(2);
    expect(discovery.sessionStats.reconnects).toBeGreaterThan(0);
  });

  test('is cut off in mid-packet: the half is forgotten with its connection', async () => {
    let cuts = 0;
    zookeeper.script = (request, reply, socket) => {
      if (cuts++ > 0) {
        noNode(request, reply, socket);
        return;
      }
      const whole = framed(replyHeader(request.xid, -101));
      socket.write(whole.subarray(0, 10), () => socket.destroy());
    };
    const discovery = discover();
    await until(discovery, () => discovery.snapshot.complete);
    expect(zookeeper.handshakes).toBe(2);
  });

  test('is a web server: refused by its first bytes', async () => {
    zookeeper.onHandshake = (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    const discovery = discover();
    await until(discovery, () => discovery.status.detail !== null);
    expect(discovery.status.detail).toContain('this is no ZooKeeper server');
  });

  test('falls silent: left within the session timeout', async () => {
    const discovery = discover({ sessionTimeoutMs: 3_000 });
    await until(discovery, () => discovery.snapshot.complete);
    const began = performance.now();
    zookeeper.frozen = true;
    await until(discovery, () => discovery.status.state === 'suspended');
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test('says that the session expired: a new one begins', async () => {
    const discovery = discover();
    await until(discovery, () => discovery.snapshot.complete);
    let expired = 0;
    zookeeper.onHandshake = (socket) => {
      if (expired++ > 0) socket.write(granted(1_000));
      else socket.end(granted(0));
    };
    const states: string[] = [];
    discovery.on('status', ({ state }) => states.push(state));
    zookeeper.cut();
    await until(discovery, () => discovery.status.state === 'connected' && expired === 2);
    expect(states).toEqual(['suspended', 'lost', 'connected']);
  });

  test('turns the session away without a word, as one restored to an older state does: a fresh one is tried', async () => {
    const discovery = discover();
    await until(discovery, () => discovery.snapshot.complete);
    zookeeper.onHandshake = (socket) => socket.destroy();
    zookeeper.cut();
    await until(discovery, () => discovery.status.state === 'lost');
    zookeeper.onHandshake = null;
    await until(discovery, () => discovery.status.state === 'connected');
  });

  test('accepts and hangs up without end: attempts slow down, and nothing piles up', async () => {
    const discovery = discover({
      auth: { scheme: 'digest', user: 'u', password: 'p' },
      maxReconnectDelayMs: 2_000,
    });
    await until(discovery, () => discovery.snapshot.complete);
    const before = zookeeper.connections;
    zookeeper.onHandshake = (socket) => socket.destroy();
    zookeeper.cut();
    await until(discovery, () => discovery.status.state === 'lost');
    expect(zookeeper.connections - before).toBeLessThan(8);
    zookeeper.onHandshake = null;
    zookeeper.requests.length = 0;
    await until(discovery, () => discovery.status.state === 'connected');
    await received(3);
    expect(zookeeper.requests.filter(({ type }) => type === OP.AUTH)).toHaveLength(1);
  });
});

test('after a reconnect, authentication and watches go before anything else, and the first xid is not 0', async () => {
  const discovery = discover({ auth: { scheme: 'digest', user: 'u', password: 'p' } });
  await until(discovery, () => discovery.snapshot.complete);
  const reads = zookeeper.requests.filter(({ type }) => type !== OP.AUTH && type !== OP.PING);
  expect(reads[0]?.xid).toBe(1);
  zookeeper.requests.length = 0;
  zookeeper.cut();
  await until(discovery, () => discovery.status.state === 'suspended');
  await until(discovery, () => discovery.status.state === 'connected');
  await received(7);
  expect(zookeeper.requests.slice(0, 2).map(({ type }) => type)).toEqual([OP.AUTH, OP.SET_WATCHES]);
});

test('nothing is asked before the server has taken the credentials', async () => {
  zookeeper.holdsAuth = true;
  const discovery = discover({ auth: { scheme: 'digest', user: 'u', password: 'p' } });
  await received(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(zookeeper.requests.map(({ type }) => type)).toEqual([OP.AUTH]);
  expect(discovery.status.state).toBe('connecting');
  // One that never says so is given up like one that says nothing at all.
  await until(discovery, () => discovery.status.detail !== null);
  expect(discovery.status.detail).toContain('did not complete the handshake in time');
  zookeeper.holdsAuth = false;
  await until(discovery, () => discovery.snapshot.complete);
});

test('a read under way when the connection ends fails then, and one without a connection fails at once', async () => {
  const session = new Session({
    servers: [{ host: '127.0.0.1', port: zookeeper.port }],
    chroot: null,
    sessionTimeoutMs: 1_000,
    errors: recordErrors(),
    credentials: null,
    tls: null,
    maxReconnectDelayMs: 20,
    now: Date.now,
    random: Math.random,
  });
  await expect(session.getData('/a')).rejects.toMatchObject({ code: 'not_connected' });
  session.start();
  await new Promise<void>((resolve) => session.once('connected', () => resolve()));
  zookeeper.script = () => zookeeper.cut();
  await expect(session.getData('/a')).rejects.toMatchObject({ code: 'not_connected' });
  zookeeper.script = noNode;
  await new Promise<void>((resolve) => session.once('connected', () => resolve()));
  await expect(session.getData('/a')).rejects.toMatchObject({ code: -101 });
  await session.close();
});

test('IPv6 servers are reached', async () => {
  const six = await startScriptedZooKeeper('::1');
  const discovery = discover({ connect: `[::1]:${six.port}` });
  await until(discovery, () => discovery.snapshot.complete);
  expect(six.handshakes).toBe(1);
  await discovery.close();
  await six.close();
});

describe('closing', () => {
  const sockets = (): number => getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

  test('before anything was reached, and while it waits to dial again', async () => {
    const before = sockets();
    const unreachable = discover({ connect: '127.0.0.1:1' });
    await unreachable.close();
    const waiting = discover({ connect: '127.0.0.1:1' });
    await until(waiting, () => waiting.status.detail !== null);
    await waiting.close();
    expect(waiting.status.state).toBe('closed');
    expect(sockets()).toBeLessThanOrEqual(before);
  });

  test('takes half a second where the server does not answer', async () => {
    const discovery = discover();
    await until(discovery, () => discovery.snapshot.complete);
    zookeeper.script = () => {};
    const began = performance.now();
    await discovery.close();
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

test('an event of a kind that the library does not know is no crash: everything is read anew', async () => {
  const discovery = discover();
  await until(discovery, () => discovery.snapshot.complete);
  const { readAt } = discovery.snapshot;
  zookeeper.script = (_, reply, socket) => {
    zookeeper.script = noNode;
    reply.error(-101);
    socket.write(notification(99, '/druid'));
  };
  zookeeper.cut();
  await until(discovery, () => discovery.sessionStats.reconnects >= 2);
  await received(5);
  expect(discovery.snapshot.readAt).toBeGreaterThanOrEqual(readAt);
});
