import { pause, type Scene } from '../faults/scene.ts';
import type { TcpProxy } from '../kit/net/tcp-proxy.ts';
import type { DruidLike } from '../kit/upstream/druid-like.ts';

/** One thing that goes wrong and is put right again; `run` ends when it is. */
export interface Fault {
  readonly name: string;
  run(): Promise<void>;
}

type Random = () => number;

/** A seeded generator of 0 <= x < 1 (mulberry32), so that a soak can be repeated. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

/** A fault drawn at random. */
export function drawFault(random: Random, scene: Scene, zookeeper: TcpProxy): Fault {
  const { cluster, ensemble, gateway } = scene;
  const node = pick(random, cluster.nodes);
  const server = pick(random, ensemble.servers);
  const length = 500 + random() * 6_000;
  const named = (what: string, run: () => Promise<void>): Fault => ({ name: what, run });
  const of = (one: DruidLike, what: string, run: (node: DruidLike) => Promise<void>): Fault =>
    named(`${one.role} ${one.port}: ${what}`, () => run(one));
  const ofNode = (what: string, run: (node: DruidLike) => Promise<void>): Fault => of(node, what, run);
  const master = pick(random, [...cluster.of('coordinator'), ...cluster.of('overlord')]);
  const ofMaster = (what: string, run: (node: DruidLike) => Promise<void>): Fault => of(master, what, run);
  const broker = pick(random, cluster.of('broker'));
  return pick(random, [
    ofNode('kill -9', async (each) => {
      await each.kill('SIGKILL');
      await pause(length);
      await each.start();
    }),
    ofNode('SIGTERM', async (each) => {
      await each.kill('SIGTERM');
      await pause(length);
      await each.start();
    }),
    ofNode('frozen', async (each) => {
      await each.kill('SIGSTOP');
      await pause(length);
      await each.kill('SIGCONT');
    }),
    ofNode('resets', async (each) => {
      await each.faults({ resets: true });
      await pause(length);
      await each.faults({});
    }),
    ofNode('slow', async (each) => {
      await each.faults({ delayMs: 300 });
      await pause(length);
      await each.faults({});
    }),
    ofMaster('redirects to itself', async (each) => {
      await each.faults({ redirectsToItself: true });
      await pause(200);
      await each.faults({});
    }),
    ofMaster('does not serve', async (each) => {
      await each.faults({ doesNotServe: true });
      await pause(length);
      await each.faults({});
    }),
    ofMaster('claims to lead', async (each) => {
      await each.faults({ claimsToLead: true });
      await pause(length);
      await each.faults({});
    }),
    named(`zookeeper ${server.port}: kill -9`, async () => {
      await server.kill('SIGKILL');
      await pause(length);
      await server.start();
      await ensemble.serving(ensemble.servers.length);
    }),
    named(`zookeeper ${server.port}: frozen`, async () => {
      await server.kill('SIGSTOP');
      await pause(length);
      await server.kill('SIGCONT');
      await ensemble.serving(ensemble.servers.length);
    }),
    named('link to zookeeper: cut', async () => zookeeper.cut()),
    named('link to zookeeper: stalled', async () => {
      zookeeper.stall();
      await pause(length);
      zookeeper.flow();
    }),
    named('link to zookeeper: slow', async () => {
      zookeeper.delay(200);
      await pause(length);
      zookeeper.delay(0);
    }),
    named(`broker ${broker.port}: drained`, async () => {
      const path = `${gateway.admin}/brokers/${broker.hostAndPort}`;
      await fetch(`${path}/drain?timeout=5s`, { method: 'POST' });
      await fetch(`${path}/return`, { method: 'POST' });
    }),
  ]);
}
