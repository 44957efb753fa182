import { fitted } from './least-squares.ts';
import type { Point, ScaleResults, Step } from './results.ts';

/** What ZooKeeper and the gateways do, of the protocol and of our own code; what it costs, of the measured points. */

/** Bytes of ZooKeeper's protocol (`zookeeper.jute`): a packet's length, the headers of requests and answers, a `Stat`. */
const LENGTH = 4;
const REQUEST = 8;
const ANSWER = 16;
const STAT = 68;
/** Type and state of a `WatcherEvent`. */
const EVENT = 8;
const WATCH_FLAG = 1;

/** Paths of Druid's defaults. */
const LATCH = '/druid/coordinator/_COORDINATOR'.length;
const BROKERS = '/druid/internal-discovery/BROKER'.length;
/** A child of a latch: `_c_UUID-latch-0000000000`. */
const LATCH_CHILD = 56;

/** A gateway watches two latches and three folders of announcements. */
export const WATCHES = 5;
/** `SESSION / 3`: the client pings after so long a silence. */
const PING_SECONDS = 10;
/** `POLL_MS` of `src/discovery/zookeeper/discovery.ts`. */
const POLL_SECONDS = 45;
/** `FEW` and `LONGEST_PAUSE_MS` of `src/discovery/zookeeper/watch.ts`. */
const FEW = 100;
const LONGEST_PAUSE_SECONDS = 5;
/** Default of `health.brokerProbeInterval` and of `leadership.probeInterval`. */
export const BROKER_PROBES_PER_SECOND = 1;
export const LEADER_PROBES_PER_SECOND = 0.5;

export interface Size {
  readonly servers: number;
  readonly gateways: number;
  readonly brokers: number;
  /** Bytes of a Broker's name and of its data in ZooKeeper. */
  readonly nameBytes: number;
  readonly dataBytes: number;
}

/** Requests of one gateway or all of them, and the bytes that they move. */
export interface Traffic {
  readonly requests: number;
  /** From ZooKeeper. */
  readonly bytesIn: number;
  /** To ZooKeeper. */
  readonly bytesOut: number;
}

/** Bytes of a list of children. */
export function listBytes(children: number, nameBytes: number): number {
  return LENGTH + ANSWER + 4 + children * (4 + nameBytes) + STAT;
}

/** Most Brokers whose list stays below a limit such as `jute.maxbuffer`. */
export function mostBrokers(limitBytes: number, nameBytes: number): number {
  return Math.floor((limitBytes - listBytes(0, nameBytes) + LENGTH) / (4 + nameBytes));
}

function list(path: number, children: number, nameBytes: number): Traffic {
  return {
    requests: 1,
    bytesIn: listBytes(children, nameBytes),
    bytesOut: LENGTH + REQUEST + 4 + path + WATCH_FLAG,
  };
}

function data({ nameBytes, dataBytes }: Size): Traffic {
  return {
    requests: 1,
    bytesIn: LENGTH + ANSWER + 4 + dataBytes + STAT,
    bytesOut: LENGTH + REQUEST + 4 + BROKERS + 1 + nameBytes + WATCH_FLAG,
  };
}

const PING: Traffic = { requests: 1, bytesIn: LENGTH + ANSWER, bytesOut: LENGTH + REQUEST };
const STAT_OF_BROKERS: Traffic = {
  requests: 1,
  bytesIn: LENGTH + ANSWER + STAT,
  bytesOut: LENGTH + REQUEST + 4 + BROKERS + WATCH_FLAG,
};

function event(path: number): number {
  return LENGTH + ANSWER + EVENT + 4 + path;
}

function total(...parts: readonly (readonly [times: number, traffic: Traffic])[]): Traffic {
  const sum = (of: (traffic: Traffic) => number): number =>
    parts.reduce((all, [times, traffic]) => all + times * of(traffic), 0);
  return {
    requests: sum(({ requests }) => requests),
    bytesIn: sum(({ bytesIn }) => bytesIn),
    bytesOut: sum(({ bytesOut }) => bytesOut),
  };
}

/** One leader goes, and of `participants` the next one leads: an event and a list for each gateway. */
export function leaderTraffic({ gateways }: Size, participants = 2): Traffic {
  const one = list(LATCH, participants, LATCH_CHILD);
  return total([gateways, { ...one, bytesIn: one.bytesIn + event(LATCH) }]);
}

/** A second in which nothing happens: pings, and looks at everything. */
export function idleTraffic(size: Size): Traffic {
  const { gateways, brokers, nameBytes } = size;
  const long = brokers > FEW;
  const polls = gateways / POLL_SECONDS;
  return total(
    [gateways / PING_SECONDS, PING],
    [polls * (WATCHES - (long ? 1 : 0)), list(LATCH, 2, LATCH_CHILD)],
    [long ? polls : 0, STAT_OF_BROKERS],
    [long ? 0 : polls, list(BROKERS, brokers, nameBytes)],
    [polls * Math.min(FEW, brokers), data(size)],
  );
}

/** How often a second a gateway reads a list that changes at this rate. */
export function readsPerSecond(brokers: number, changesPerSecond: number): number {
  if (changesPerSecond === 0) return 0;
  // On the average half of the longest pause, and until the next change after a read there is no event.
  const pause = brokers <= FEW ? 0 : Math.min(brokers / 1_000, LONGEST_PAUSE_SECONDS) / 2;
  return 1 / (pause + 1 / changesPerSecond);
}

/** A second in which so many Brokers come and go; half of the changes bring one whose data is to be read. */
export function churnTraffic(size: Size, changesPerSecond: number): Traffic {
  const { gateways, brokers, nameBytes } = size;
  const reads = readsPerSecond(brokers, changesPerSecond);
  const lists = list(BROKERS, brokers, nameBytes);
  return total(
    [gateways * reads, { ...lists, bytesIn: lists.bytesIn + event(BROKERS) }],
    [(gateways * changesPerSecond) / 2, data(size)],
  );
}

/** A gateway that knows nothing reads everything. */
export function startTraffic(size: Size): Traffic {
  const { gateways, brokers, nameBytes } = size;
  return total(
    [gateways * (WATCHES - 1), list(LATCH, 2, LATCH_CHILD)],
    [gateways, list(BROKERS, brokers, nameBytes)],
    [gateways * brokers, data(size)],
  );
}

/** What was found to cost what. CPU in microseconds. */
export interface Coefficients {
  /** ZooKeeper: for a request, and for a kilobyte that it sends. */
  readonly serverRequestUs: number;
  readonly serverKilobyteUs: number;
  /** All gateways: for a request, and for a kilobyte that they read and a snapshot is made of. */
  readonly clientRequestUs: number;
  readonly clientKilobyteUs: number;
  /** ZooKeeper's live heap: of each server, for a session with its watches on one, for a Broker on each. */
  readonly serverHeap: number;
  readonly sessionHeap: number;
  readonly brokerHeap: number;
  /** Milliseconds of a leader's change that are there with few gateways. */
  readonly leaderMs: number;
}

export function coefficients({ points }: Pick<ScaleResults, 'points'>): Coefficients {
  const steps = points.flatMap(({ start, leader, churn }): Step[] => [start, ...leader, ...churn]);
  // Of a step of few ticks of the clock by which CPU is counted, nothing is known.
  const known = (us: number): boolean => us >= 50_000;
  const causes = ({ received, bytesIn }: Step): number[] => [received, bytesIn / 1_000];
  const [serverRequestUs = 0, serverKilobyteUs = 0] = fitted(
    steps
      .filter(({ serverCpuUs }) => known(serverCpuUs))
      .map((step) => ({ causes: causes(step), effect: step.serverCpuUs })),
  );
  const [clientRequestUs = 0, clientKilobyteUs = 0] = fitted(
    steps
      .filter(({ clientCpuUs }) => known(clientCpuUs))
      .map((step) => ({ causes: causes(step), effect: step.clientCpuUs })),
  );
  const [serverHeap = 0, sessionHeap = 0, brokerHeap = 0] = fitted(
    points
      .filter(({ heapBytes }) => Number.isFinite(heapBytes))
      .map(({ servers, gateways, brokers, heapBytes }) => ({
        causes: [servers, gateways, servers * brokers],
        effect: heapBytes,
      })),
  );
  const fewest = Math.min(...points.map(({ gateways }) => gateways));
  const quick = points.filter(({ gateways }) => gateways === fewest).flatMap(({ leader }) => leader);
  const leaderMs = quick.length === 0 ? 0 : Math.min(...quick.map(({ median }) => median));
  return {
    serverRequestUs,
    serverKilobyteUs,
    clientRequestUs,
    clientKilobyteUs,
    serverHeap,
    sessionHeap,
    brokerHeap,
    leaderMs,
  };
}

/** Microseconds of all servers for this traffic. */
export function serverCpuUs({ requests, bytesIn }: Traffic, known: Coefficients): number {
  return requests * known.serverRequestUs + (bytesIn / 1_000) * known.serverKilobyteUs;
}

/** Microseconds of all gateways for this traffic. */
export function clientCpuUs({ requests, bytesIn }: Traffic, known: Coefficients): number {
  return requests * known.clientRequestUs + (bytesIn / 1_000) * known.clientKilobyteUs;
}

/** Live heap of one server, in bytes. */
export function heapOfServer({ servers, gateways, brokers }: Size, known: Coefficients): number {
  return known.serverHeap + (gateways / servers) * known.sessionHeap + brokers * known.brokerHeap;
}

/**
 * Milliseconds until the last gateway knows a new leader, with one core for each server and gateways on machines of their
 * own. `spreadMs`: by as much each gateway puts off its read at random.
 */
export function leaderLastMs(size: Size, known: Coefficients, spreadMs = 0): number {
  const work = serverCpuUs(leaderTraffic(size), known) / size.servers / 1_000;
  return known.leaderMs + Math.max(work, spreadMs);
}

/** The same where servers and gateways share so many cores, as in the measurement. */
export function leaderLastMsShared(size: Size, known: Coefficients, cores: number): number {
  const traffic = leaderTraffic(size);
  return known.leaderMs + (serverCpuUs(traffic, known) + clientCpuUs(traffic, known)) / cores / 1_000;
}

/** Most gateways for which the servers, with one core each, can follow so many changes a second. */
export function mostGateways(size: Size, changesPerSecond: number, known: Coefficients): number {
  const one = { ...size, gateways: 1 };
  const us = serverCpuUs(churnTraffic(one, changesPerSecond), known) + serverCpuUs(idleTraffic(one), known);
  return Math.floor((size.servers * 1e6) / us);
}

export function sizeOf(point: Point, { nameBytes, dataBytes }: ScaleResults): Size {
  const { servers, gateways, brokers } = point;
  return { servers, gateways, brokers, nameBytes, dataBytes };
}
