import { once } from 'node:events';
import { Socket } from 'node:net';
import { getActiveResourcesInfo } from 'node:process';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createOriginRefusal } from '../../../../src/discovery/allowed-origins.ts';
import {
  createZooKeeperDiscovery,
  type ZooKeeperDiscovery,
  type ZooKeeperDiscoveryOptions,
} from '../../../../src/discovery/zookeeper/discovery.ts';
import { Session } from '../../../../src/discovery/zookeeper/session.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import {
  framed,
  granted,
  noNode,
  notification,
  OP,
  replyHeader,
  type ScriptedZooKeeper,
  startScriptedZooKeeper,
} from '../../../kit/zookeeper/scripted-zookeeper.ts';

let zookeeper: ScriptedZooKeeper;
const open: ZooKeeperDiscovery[] = [];

beforeEach(async () => {
  zookeeper = await startScriptedZooKeeper();
});

afterEach(async () => {
  vi.restoreAllMocks();
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

/** Lengths and counts of the answers to requests, as the bytes behind the header. */
function ints(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, i * 4);
  return bytes;
}

describe('a packet that is not what it says', () => {
  const LARGEST = 2 ** 31 - 1;

  test.each<[string, number, Buffer]>([
    ['children of a negative length', OP.GET_CHILDREN2, ints(5_000_000, -4)],
    ['more children than there are bytes', OP.GET_CHILDREN2, ints(LARGEST)],
    ['a child longer than the packet', OP.GET_CHILDREN2, ints(1, LARGEST)],
    ['two gigabytes of data', OP.GET_DATA, ints(LARGEST)],
    ['data of a negative length', OP.GET_DATA, ints(-2)],
  ])('closes the connection, and is read anew: %s', async (_, type, payload) => {
    let sent = 0;
    zookeeper.script = (request, reply, socket) => {
      if (request.type === OP.GET_CHILDREN2 && type === OP.GET_DATA && sent === 0) reply.children(['a']);
      else if (request.type === type && sent++ === 0) {
        // With what stands behind them, so that nothing else is missing.
        socket.write(framed(Buffer.concat([replyHeader(request.xid, 0), payload, Buffer.alloc(68)])));
      } else noNode(request, reply, socket);
    };
    const details: (string | null)[] = [];
    const errors = recordErrors();
    const discovery = discover({ errors });
    discovery.on('status', ({ detail }) => details.push(detail));
    const began = performance.now();
    await until(discovery, () => discovery.snapshot.complete);
    expect(details.join()).toContain('sent what cannot be read');
    expect(zookeeper.connections).toBe(2);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(errors.total).toBe(0);
  });

  test('closes the connection: a handshake with a password of two gigabytes', async () => {
    zookeeper.onHandshake = (socket) => {
      zookeeper.onHandshake = null;
      const answer = granted(1_000);
      answer.writeInt32BE(LARGEST, 20);
      socket.write(answer);
    };
    const details: (string | null)[] = [];
    const discovery = discover();
    discovery.on('status', ({ detail }) => details.push(detail));
    await until(discovery, () => discovery.snapshot.complete);
    expect(details.join()).toContain('sent what cannot be read');
  });

  test('may have any bytes at all in it: no exception, and nothing that does not end', async () => {
    const number = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.integer());
    const payloads = fc.sample(
      fc.oneof(
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
        fc.array(number, { maxLength: 20 }).map((values) => ints(...values)),
      ),
      60,
    );
    const rest = [...payloads];
    zookeeper.script = (request, reply, socket) => {
      const payload = rest.pop();
      if (payload === undefined) noNode(request, reply, socket);
      else if (request.type === OP.GET_CHILDREN2 && rest.length % 3 === 0) reply.children(['a', 'b']);
      else socket.write(framed(Buffer.concat([replyHeader(request.xid, 0), payload])));
    };
    const errors = recordErrors();
    const discovery = discover({ maxReconnectDelayMs: 1, errors });
    while (rest.length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    zookeeper.cut();
    await until(discovery, () => discovery.snapshot.complete);
    expect(errors.lines).toEqual([]);
  });
});

describe('an error of our own', () => {
  /** A clock that does not always tell the time. */
  function faulty(): { now: () => number; fail: (times: number) => void } {
    let faults = 0;
    return {
      now: () => {
        if (faults > 0) {
          faults--;
          throw new Error('no time');
        }
        return Date.now();
      },
      fail: (times) => {
        faults = times;
      },
    };
  }

  test('when a connection is there, or is lost, costs that connection: another one is opened', async () => {
    const errors = recordErrors();
    const clock = faulty();
    const discovery = discover({ errors, now: clock.now });
    clock.fail(1);
    await until(discovery, () => discovery.snapshot.complete);
    expect(errors.counts.discovery).toBe(1);
    clock.fail(1);
    zookeeper.cut();
    while (errors.counts.discovery < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await until(discovery, () => discovery.status.state === 'connected');
    expect(errors.lines.map(({ place }) => place)).toEqual(['discovery', 'discovery']);
  });

  test('when a session is given up does not keep the next one from being opened', async () => {
    const errors = recordErrors();
    const clock = faulty();
    const discovery = discover({ errors, now: clock.now });
    await until(discovery, () => discovery.snapshot.complete);
    zookeeper.onHandshake = (socket) => socket.destroy();
    zookeeper.cut();
    await until(discovery, () => discovery.status.state === 'suspended');
    // The next who asks is the end of the session.
    clock.fail(1);
    while (errors.total === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    zookeeper.onHandshake = null;
    await until(discovery, () => discovery.status.state === 'connected');
    expect(errors.lines).toMatchObject([{ place: 'discovery', stack: expect.stringContaining('#renew') }]);
  });

  test.each([
    ['a handshake', 'does not come', 1_000],
    ['a request', 'is not answered', 10_000],
  ])(
    'when %s that %s costs the connection costs no more: another one is opened',
    async (what, _, patience) => {
      const errors = recordErrors();
      const timers = vi.spyOn(globalThis, 'setTimeout');
      if (what === 'a handshake') zookeeper.onHandshake = () => {};
      else zookeeper.script = () => {};
      const discovery = discover({ errors });
      const due = (): (() => void) | undefined => timers.mock.calls.find(([, ms]) => ms === patience)?.[0];
      while (due() === undefined) await new Promise((resolve) => setImmediate(resolve));
      if (what === 'a request') await received(1);
      else while (zookeeper.connections === 0) await new Promise((resolve) => setImmediate(resolve));
      vi.spyOn(Socket.prototype, 'destroy').mockImplementationOnce(() => {
        throw new Error('no end');
      });
      // At once what would come in seconds.
      due()?.();
      zookeeper.onHandshake = null;
      zookeeper.script = noNode;
      expect(errors.lines).toMatchObject([{ place: 'discovery', error: 'Error: no end' }]);
      await until(discovery, () => discovery.snapshot.complete);
    },
  );

  test('when there is something new to read costs that read: it is read again', async () => {
    const errors = recordErrors();
    const clock = faulty();
    let read = 0;
    zookeeper.script = (request, reply, socket) => {
      // Before the answer to the last of five paths, which is then read in vain.
      if (request.type === OP.EXISTS && ++read === 5) clock.fail(1);
      noNode(request, reply, socket);
    };
    const discovery = discover({ errors, now: clock.now });
    await until(discovery, () => discovery.snapshot.complete);
    expect(errors.counts.discovery).toBe(1);
    expect(read).toBeGreaterThan(5);
  });
});

test('what is announced and may not be named is not used, and has a line for each', async () => {
  const announced = (host: string, tls: boolean): Buffer =>
    Buffer.from(
      JSON.stringify({
        nodeType: 'broker',
        druidNode: {
          ...{ service: 's', host, plaintextPort: 8082, enablePlaintextPort: !tls },
          ...(tls ? { tlsPort: 8282, enableTlsPort: true } : {}),
        },
      }),
    );
  const nodes = new Map([
    ['good', announced('10.0.0.1', true)],
    ['plain', announced('10.0.0.2', false)],
    ['metadata', announced('169.254.169.254', true)],
    ['name', announced('evil.example', true)],
    ['odd', announced('0x0a.1', true)],
    ['huge', Buffer.alloc(100_000, '{')],
  ]);
  zookeeper.script = (request, reply, socket) => {
    const length = request.body.length < 4 ? 0 : request.body.readInt32BE(0);
    const path = request.body.toString('utf8', 4, 4 + length);
    const data = nodes.get(/(?:BROKER|_COORDINATOR)\/(\w+)$/.exec(path)?.[1] ?? '');
    const list = request.type === OP.GET_CHILDREN2;
    if (list && path.endsWith('BROKER')) reply.children([...nodes.keys()]);
    else if (list && path.endsWith('_COORDINATOR')) reply.children(['huge']);
    else if (request.type !== OP.GET_DATA || data === undefined) noNode(request, reply, socket);
    else socket.write(framed(Buffer.concat([replyHeader(request.xid, 0), framed(data), Buffer.alloc(68)])));
  };
  const faults: string[] = [];
  const discovery = discover({
    sessionTimeoutMs: 10_000,
    refusal: createOriginRefusal({ networks: ['10.0.0.0/8'], names: ['.druid.internal'], httpsOnly: true }),
  });
  discovery.on('fault', (fault) => faults.push(fault));
  await until(discovery, () => discovery.snapshot.complete);
  const { announcements, latches } = discovery.snapshot;
  expect(announcements.broker.map(({ origin }) => origin)).toEqual(['https://10.0.0.1:8282']);
  expect(latches?.coordinator.participants).toMatchObject([{ origin: null }]);
  const at = '/druid/internal-discovery/BROKER';
  expect(faults.toSorted()).toEqual(
    [
      '/druid/coordinator/_COORDINATOR/huge names no node by a URL',
      `${at}/plain is not https (discovery.allow.httpsOnly)`,
      `${at}/metadata has an address outside of discovery.allow.networks`,
      `${at}/name has a name outside of discovery.allow.names`,
      `${at}/odd has no valid druidNode.host`,
      `${at}/huge is no JSON object, neither gzip nor plain`,
    ].toSorted(),
  );
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

test('what is read again and has not changed gives the snapshot a new time, and says so', async () => {
  let time = 1_000;
  const discovery = discover({ now: () => time });
  await until(discovery, () => discovery.snapshot.complete);
  const { version } = discovery.snapshot;
  time = 50_000;
  const read = once(discovery, 'read');
  zookeeper.cut();
  await read;
  expect(discovery.snapshot).toMatchObject({ version, readAt: 50_000 });
});
