import { setTimeout as sleep } from 'node:timers/promises';
import { connectWriter, type Writer } from '../../test/kit/zookeeper/zookeeper-writer.ts';
import type { Ensemble } from '../../tools/druid-cluster/zookeeper-ensemble.ts';
import { type ClientGroup, createClientGroup } from './client-group.ts';
import type { Churn, LeaderChange, Point, Spread, Step } from './results.ts';
import { holdings, liveHeap, serverFigures } from './servers.ts';
import { type Announced, Announcer, brokerHost } from './znodes.ts';

const PORT = 8082;
/** It sorts before all hosts. */
const MARKER: Announced = { host: '00-marker.example.com', port: PORT };

export interface Plan {
  /** Brokers, and with so many the numbers of gateways, both growing. */
  readonly sizes: readonly (readonly [brokers: number, gateways: readonly number[]])[];
  readonly rates: readonly number[];
  readonly elections: number;
  readonly seconds: number;
}

interface Site {
  readonly basePath: string;
  readonly ensemble: Ensemble;
  readonly writer: Writer;
  readonly announcer: Announcer;
  /** Who stands for election, the leader first. */
  readonly line: string[];
  /** How many have stood so far. */
  elected: number;
  /** The Brokers that are announced, the first announced first. */
  readonly brokers: Announced[];
  readonly signal: AbortSignal;
}

/** Measures each size of the plan on one ensemble. */
export async function measurePoints(
  ensemble: Ensemble,
  plan: Plan,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<readonly Point[]> {
  const site = await settle(ensemble, '/druid', signal);
  const points: Point[] = [];
  try {
    for (const [brokers, gateways] of plan.sizes) {
      const more = hosts(site.brokers.length, brokers);
      await site.announcer.addAll(more);
      site.brokers.push(...more);
      const group = createClientGroup({ connect: ensemble.connect, basePath: site.basePath }, signal);
      try {
        for (const count of gateways) {
          signal.throwIfAborted();
          const point = await measurePoint(site, group, count, brokers, plan);
          points.push(point);
          say(described(point));
        }
      } finally {
        await group.close();
      }
    }
    return points;
  } finally {
    site.writer.close();
  }
}

/** The same changes of a leader with delays at random of different length, by as many gateways. */
export async function measureSpreads(
  ensemble: Ensemble,
  gateways: number,
  spreads: readonly number[],
  elections: number,
  signal: AbortSignal,
): Promise<readonly Spread[]> {
  // Nobody is announced there.
  const site = await settle(ensemble, '/other', signal);
  const outcome: Spread[] = [];
  try {
    for (const spreadMs of spreads) {
      const group = createClientGroup(
        { connect: ensemble.connect, basePath: site.basePath, spreadMs },
        signal,
      );
      try {
        await group.grow(gateways, 0);
        outcome.push({ spreadMs, gateways, leader: await elect(site, group, elections) });
      } finally {
        await group.close();
      }
    }
    return outcome;
  } finally {
    site.writer.close();
  }
}

async function settle(ensemble: Ensemble, basePath: string, signal: AbortSignal): Promise<Site> {
  const writer = await connectWriter(ensemble.connect);
  const announced = `${basePath}/internal-discovery`;
  for (const role of ['COORDINATOR', 'OVERLORD', 'BROKER']) await writer.put(`${announced}/${role}`);
  const line: string[] = [];
  for (const i of [1, 2]) line.push(await writer.elect(latchOf(basePath), originOf(i)));
  await writer.elect(`${basePath}/overlord/_OVERLORD`, 'http://overlord.example.com:8090');
  const announcer = new Announcer(writer, `${announced}/BROKER`);
  return { basePath, ensemble, writer, announcer, line, elected: 2, brokers: [], signal };
}

const latchOf = (basePath: string): string => `${basePath}/coordinator/_COORDINATOR`;
const originOf = (i: number): string => `http://coordinator-${i}.example.com:8081`;

function hosts(from: number, to: number): Announced[] {
  return Array.from({ length: to - from }, (_, i) => ({ host: brokerHost(from + i), port: PORT }));
}

async function measurePoint(
  site: Site,
  group: ClientGroup,
  gateways: number,
  brokers: number,
  plan: Plan,
): Promise<Point> {
  const { ensemble, signal } = site;
  const added = gateways - group.count;
  const start = await step(site, group, () => group.grow(added, brokers));
  const idle = await step(site, group, () => sleep(plan.seconds * 1_000, undefined, { signal }));
  const leader = await elect(site, group, plan.elections);
  const churn: Churn[] = [];
  for (const rate of plan.rates) churn.push(await measureChurn(site, group, rate, plan.seconds));
  const { watches } = await holdings(ensemble);
  const { disconnects, rssBytes: clientRssBytes } = await group.figures();
  const { rssBytes: serverRssBytes } = await serverFigures(ensemble);
  return {
    servers: ensemble.servers.length,
    gateways,
    brokers,
    start: { ...start, added },
    idle,
    leader,
    churn,
    watches,
    disconnects,
    heapBytes: await liveHeap(ensemble),
    serverRssBytes,
    clientRssBytes,
  };
}

/** The next in line leads after a new one has joined it, so that there are always two. */
async function elect(site: Site, group: ClientGroup, times: number): Promise<LeaderChange[]> {
  const changes: LeaderChange[] = [];
  for (let i = 0; i < times; i++) {
    site.signal.throwIfAborted();
    site.elected++;
    site.line.push(await site.writer.elect(latchOf(site.basePath), originOf(site.elected)));
    // All have read that.
    await sleep(500, undefined, { signal: site.signal });
    const [before = ''] = site.line.splice(0, 1);
    let times: readonly number[] = [];
    let since = 0;
    const { known } = await group.expect({ of: 'leader', origin: originOf(site.elected - 1) });
    const used = await step(site, group, async () => {
      since = performance.timeOrigin + performance.now();
      await site.writer.remove(before);
      times = await known;
    });
    const sorted = times.map((time) => time - since).toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
    changes.push({ ...used, median: at(0.5), p99: at(0.99), last: at(1) });
  }
  return changes;
}

async function measureChurn(
  site: Site,
  group: ClientGroup,
  perSecond: number,
  seconds: number,
): Promise<Churn> {
  const { announcer, brokers, signal } = site;
  let lag = 0;
  let changes = 0;
  const used = await step(site, group, async () => {
    const end = announcer.churn(brokers, perSecond);
    await sleep(seconds * 1_000, undefined, { signal });
    const { known } = await group.expect({ of: 'marker', hostAndPort: `${MARKER.host}:${MARKER.port}` });
    const since = performance.timeOrigin + performance.now();
    await announcer.add(MARKER);
    lag = Math.max(...(await known)) - since;
    changes = await end();
  });
  await announcer.remove(MARKER);
  // Whoever is still reading what has changed ends that.
  const { known } = await group.expect({ of: 'brokers', count: brokers.length });
  await known;
  await sleep(1_000, undefined, { signal });
  return { ...used, perSecond, changes, lag };
}

/** What is used and moved while `act` runs. */
async function step({ ensemble }: Site, group: ClientGroup, act: () => Promise<unknown>): Promise<Step> {
  const [server, client] = await Promise.all([serverFigures(ensemble), group.figures()]);
  const began = performance.now();
  await act();
  const seconds = (performance.now() - began) / 1_000;
  const [serverAfter, clientAfter] = await Promise.all([serverFigures(ensemble), group.figures()]);
  return {
    seconds,
    serverCpuUs: serverAfter.cpuUs - server.cpuUs,
    clientCpuUs: clientAfter.cpuUs - client.cpuUs,
    received: serverAfter.received - server.received,
    sent: serverAfter.sent - server.sent,
    bytesIn: clientAfter.bytesIn - client.bytesIn,
    bytesOut: clientAfter.bytesOut - client.bytesOut,
    snapshots: clientAfter.snapshots - client.snapshots,
  };
}

function described({ servers, gateways, brokers, start, leader, churn }: Point): string {
  const last = leader.map((one) => one.last.toFixed(0)).join(', ');
  const rates = churn
    .map(
      ({ perSecond, seconds, serverCpuUs, clientCpuUs, received, lag }) =>
        `${perSecond}/s: ${(received / seconds).toFixed(0)} requests/s, ZooKeeper ${(serverCpuUs / seconds / 1e6).toFixed(2)}, ` +
        `gateways ${(clientCpuUs / seconds / 1e6).toFixed(2)} cores, ${lag.toFixed(0)} ms`,
    )
    .join('; ');
  return `${servers} servers, ${brokers} Brokers, ${gateways} gateways: start ${start.seconds.toFixed(1)} s, leader ${last} ms; ${rates}`;
}
