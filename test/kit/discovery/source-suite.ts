import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OriginRefusal } from '../../../src/discovery/allowed-origins.ts';
import type { Discovery, MasterRole, Role } from '../../../src/discovery/discovery.ts';
import type { InternalErrors } from '../../../src/faults/internal-errors.ts';
import { recordErrors } from '../gateway/recorded-errors.ts';

export interface SourceOptions {
  readonly errors: InternalErrors;
  readonly refusal?: OriginRefusal;
}

/** One source with latches, real or fake, that a test changes. Nothing is in it at first. */
export interface SourceRig {
  /** A discovery that tries again soon after a failure. Not started. */
  create(options: SourceOptions): Discovery;
  announce(role: Role, host: string, port: number): Promise<void>;
  withdraw(role: Role, host: string, port: number): Promise<void>;
  /** An entry that is no announcement, among the others. */
  announceNonsense(): Promise<void>;
  /** Another one is elected, at once. */
  elect(role: MasterRole, origin: string): Promise<void>;
  /** Nobody is, from now on. */
  abdicate(role: MasterRole): Promise<void>;
  /** Ends the connections of those who discover. */
  cut(): void;
  /** The source is away, and back. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** What those who discover hold at the source: connections and watches. */
  held(): Promise<number>;
  /** How often those who discover have asked so far: connections, of which each question has one, or there is one for all. */
  asked(): number;
  close(): Promise<void>;
}

export interface SuiteOptions {
  readonly start: () => Promise<SourceRig>;
  /** How often connections are cut; 100 where it takes no more than seconds. */
  readonly cuts: number;
}

/** Resolves once this is true, asked anew with every event; says what is when that takes half a minute. */
export function until(discovery: Discovery, holds: () => boolean): Promise<void> {
  const events = ['snapshot', 'status', 'read', 'fault'] as const;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      for (const event of events) discovery.off(event, look);
    };
    const look = (): void => {
      if (!holds()) return;
      end();
      resolve();
    };
    const timer = setTimeout(() => {
      end();
      const { status, snapshot } = discovery;
      reject(new Error(`not within 30 s, ${holds}: ${JSON.stringify({ status, snapshot }).slice(0, 2_000)}`));
    }, 30_000);
    for (const event of events) discovery.on(event, look);
    look();
  });
}

export function hostsOf({ snapshot }: Discovery, role: Role = 'broker'): string[] {
  return snapshot.announcements[role].map(({ hostAndPort }) => hostAndPort);
}

export function leaderOf({ snapshot }: Discovery, role: MasterRole = 'coordinator'): string | null {
  return snapshot.latches?.[role].participants[0]?.origin ?? null;
}

export function termOf({ snapshot }: Discovery, role: MasterRole = 'coordinator'): number | null {
  return snapshot.latches?.[role].participants[0]?.sequence ?? null;
}

/** As the metrics count it: connections of a session, or watches and queries. */
function beganAnew(discovery: Discovery): number {
  const { sessionStats, watchStats } = discovery as {
    readonly sessionStats?: { readonly reconnects: number };
    readonly watchStats?: { readonly restarts: number };
  };
  return sessionStats?.reconnects ?? watchStats?.restarts ?? 0;
}

/** What every source with latches does, whatever it is. */
export function testSource(name: string, { start, cuts }: SuiteOptions): void {
  describe(`${name} as a source`, () => {
    let rig: SourceRig;
    let errors: ReturnType<typeof recordErrors>;
    const open: Discovery[] = [];

    beforeEach(async () => {
      rig = await start();
      errors = recordErrors();
    });

    afterEach(async () => {
      await Promise.all(open.splice(0).map((discovery) => discovery.close()));
      await rig.close();
      expect(errors.lines).toEqual([]);
    });

    function discover(refusal?: OriginRefusal): Discovery {
      const discovery = rig.create({ errors, ...(refusal === undefined ? {} : { refusal }) });
      open.push(discovery);
      discovery.start();
      return discovery;
    }

    test('with nothing in it gives a complete view of nothing', async () => {
      const discovery = discover();
      expect(discovery.snapshot.complete).toBe(false);
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      expect([hostsOf(discovery), leaderOf(discovery), leaderOf(discovery, 'overlord')]).toEqual([
        [],
        null,
        null,
      ]);
    });

    test('gives all that is there in its first complete view, and follows nodes that come and go', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      await rig.announce('coordinator', '10.0.0.2', 8081);
      await rig.announce('overlord', '10.0.0.3', 8090);
      await rig.elect('coordinator', 'http://10.0.0.2:8081');
      await rig.elect('overlord', 'http://10.0.0.3:8090');
      const discovery = discover();
      await until(discovery, () => discovery.snapshot.complete);
      expect(discovery.snapshot.announcements.overlord).toMatchObject([
        { role: 'overlord', origin: 'http://10.0.0.3:8090', service: 'druid/overlord' },
      ]);
      expect([hostsOf(discovery), hostsOf(discovery, 'coordinator')]).toEqual([
        ['10.0.0.1:8082'],
        ['10.0.0.2:8081'],
      ]);
      expect([leaderOf(discovery), leaderOf(discovery, 'overlord')]).toEqual([
        'http://10.0.0.2:8081',
        'http://10.0.0.3:8090',
      ]);
      await rig.announce('broker', '10.0.0.4', 8082);
      await until(discovery, () => hostsOf(discovery).length === 2);
      await rig.withdraw('broker', '10.0.0.1', 8082);
      await until(discovery, () => hostsOf(discovery).length === 1);
      expect(hostsOf(discovery)).toEqual(['10.0.0.4:8082']);
    });

    test('tells each swap of leaders, with another term each time', async () => {
      await rig.elect('coordinator', 'http://10.0.0.1:8081');
      const discovery = discover();
      await until(discovery, () => leaderOf(discovery) === 'http://10.0.0.1:8081');
      const terms = [termOf(discovery)];
      for (const host of ['10.0.0.2', '10.0.0.1', '10.0.0.2']) {
        await rig.elect('coordinator', `http://${host}:8081`);
        await until(discovery, () => leaderOf(discovery) === `http://${host}:8081`);
        terms.push(termOf(discovery));
      }
      expect(new Set(terms).size).toBe(4);
      expect(terms.every((term) => Number.isSafeInteger(term) && (term ?? -1) >= 0)).toBe(true);
      await rig.abdicate('coordinator');
      await until(discovery, () => leaderOf(discovery) === null);
    });

    test('is not asked again while nothing changes', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      await rig.elect('coordinator', 'http://10.0.0.2:8081');
      const discovery = discover();
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      // What is held is what waits for changes.
      expect(await rig.held()).toBeGreaterThan(0);
      const asked = rig.asked();
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(rig.asked()).toBe(asked);
    });

    test('that goes away leaves what it last said, does not call it current, and is found again', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      await rig.elect('coordinator', 'http://10.0.0.2:8081');
      const discovery = discover();
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      const { readAt } = discovery.snapshot;
      await rig.stop();
      await until(discovery, () => discovery.status.state !== 'connected');
      expect(discovery.status.detail).not.toBe(null);
      expect([hostsOf(discovery), leaderOf(discovery)]).toEqual([['10.0.0.1:8082'], 'http://10.0.0.2:8081']);
      expect(discovery.snapshot.complete).toBe(true);
      await rig.start();
      await until(discovery, () => discovery.status.state === 'connected');
      expect(discovery.status.detail).toBe(null);
      await rig.announce('broker', '10.0.0.3', 8082);
      await until(discovery, () => hostsOf(discovery).includes('10.0.0.3:8082'));
      expect(discovery.snapshot.readAt).toBeGreaterThanOrEqual(readAt);
    });

    test('that is not there at the start is a status, and is found when it comes', async () => {
      await rig.stop();
      const discovery = discover();
      await until(discovery, () => discovery.status.detail !== null);
      expect([discovery.status.state, discovery.snapshot.complete]).toEqual(['connecting', false]);
      await rig.start();
      await until(discovery, () => discovery.snapshot.complete);
    });

    test('with nonsense in it has the rest read, and tells what is wrong', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      const discovery = discover();
      await until(discovery, () => hostsOf(discovery).length === 1);
      const faults: string[] = [];
      discovery.on('fault', (fault) => faults.push(fault));
      await rig.announceNonsense();
      await until(discovery, () => faults.length > 0);
      await rig.announce('broker', '10.0.0.2', 8082);
      await until(discovery, () => hostsOf(discovery).length === 2);
      expect(discovery.status.state).toBe('connected');
    });

    test('names no node that may not be used', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      await rig.announce('broker', '10.6.6.6', 8082);
      await rig.elect('coordinator', 'http://10.6.6.6:8081');
      const discovery = discover((origin) => (origin.includes('10.6.6.6') ? 'is somebody else’s' : null));
      await until(discovery, () => discovery.snapshot.complete);
      expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082']);
      // It leads all the same, and nobody else does.
      expect(discovery.snapshot.latches?.coordinator.participants).toMatchObject([{ origin: null }]);
    });

    test('with 1,000 Brokers gives all of them, and hears of one more', async () => {
      const hosts = Array.from({ length: 1_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
      for (let i = 0; i < hosts.length; i += 50) {
        await Promise.all(hosts.slice(i, i + 50).map((host) => rig.announce('broker', host, 8082)));
      }
      const discovery = discover();
      await until(discovery, () => discovery.snapshot.complete);
      expect(hostsOf(discovery)).toHaveLength(1_000);
      await rig.withdraw('broker', '10.1.0.7', 8082);
      await until(discovery, () => hostsOf(discovery).length === 999);
      await rig.announce('broker', '10.9.9.9', 8082);
      await until(discovery, () => hostsOf(discovery).includes('10.9.9.9:8082'));
    });

    test(`cut off ${cuts} times holds as much as before`, async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      const discovery = discover();
      await until(discovery, () => discovery.snapshot.complete && discovery.status.state === 'connected');
      const listeners = (): number[] => discovery.eventNames().map((event) => discovery.listenerCount(event));
      const before = listeners();
      const held = await rig.held();
      for (let i = 0; i < cuts; i++) {
        rig.cut();
        const port = 9_000 + i;
        await rig.announce('broker', '10.0.0.2', port);
        await until(discovery, () => hostsOf(discovery).includes(`10.0.0.2:${port}`));
        await rig.withdraw('broker', '10.0.0.2', port);
      }
      await until(discovery, () => hostsOf(discovery).length === 1 && discovery.status.state === 'connected');
      expect(listeners()).toEqual(before);
      await expect.poll(() => rig.held(), { timeout: 10_000 }).toBe(held);
      expect(beganAnew(discovery)).toBeGreaterThanOrEqual(cuts);
    });

    test('that is closed says nothing more, and is let go', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      const discovery = discover();
      await until(discovery, () => discovery.snapshot.complete);
      await discovery.close();
      expect(discovery.status.state).toBe('closed');
      let heard = 0;
      for (const event of ['snapshot', 'status', 'read', 'fault'] as const)
        discovery.on(event, () => heard++);
      await rig.announce('broker', '10.0.0.2', 8082);
      await expect.poll(() => rig.held(), { timeout: 10_000 }).toBe(0);
      expect(heard).toBe(0);
    });
  });
}
