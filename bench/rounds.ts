import { placeFor, type Stage, startBehind } from './behind.ts';
import type { Options } from './options.ts';
import { createOwned } from './owned.ts';
import type { Peer, Place, RunningPeer, Setup } from './peers/peer.ts';
import { usage } from './proc.ts';
import type { Floor, Measurement } from './results.ts';
import { rounded } from './stats.ts';
import { RECEIVED, served, takes, type Workload } from './workloads.ts';
import { errorsOf, type Load, runWrk } from './wrk.ts';

/** Each further warm-up needs less time than the first. */
const FURTHER = 0.2;
/** How often all workloads are gone over to warm up: V8 throws code away when the connections of a load end. */
const WARM_UPS = 3;

interface Entry {
  readonly peer: Peer;
  readonly setup: Setup;
  readonly running: RunningPeer;
  readonly place: Place;
}

export interface Measured {
  readonly measurements: readonly Measurement[];
  readonly floor: readonly Floor[];
}

/** Who is up at the same time, and what is measured by turns. */
export interface Group {
  /** The name of a setup's place. */
  readonly name: (setup: Setup) => string;
  readonly peers: readonly Peer[];
  readonly workloads: readonly Workload[];
  /** Their numbers. */
  readonly rounds: readonly number[];
}

/**
 * All workloads of some setups by all their peers: everybody is started and warmed up, and then each round goes over
 * all workloads and, within each, over all peers, so that what changes with time meets everybody.
 */
export async function measureSetups(
  { name, peers, workloads, rounds }: Group,
  options: Options,
  stage: Omit<Stage, 'owned'>,
  say: (line: string) => void,
): Promise<Measured> {
  const { signal } = stage;
  const measurements: Measurement[] = [];
  const floor: Floor[] = [];
  const owned = createOwned();
  const load = (url: string, workload: Workload, seconds: number): Promise<Load> =>
    runWrk({ ...workload, url: url + workload.target, seconds, core: options.cores[1] }, signal);
  try {
    const entries: Entry[] = [];
    for (const setup of new Set(workloads.map((workload) => workload.setup))) {
      const place = await startBehind(name(setup), setup, { ...stage, owned });
      for (const peer of peers) {
        if (!workloads.some((workload) => workload.setup === setup && takes(peer, workload))) continue;
        signal.throwIfAborted();
        say(`starting ${peer.name} (${setup})`);
        entries.push({
          peer,
          setup,
          place,
          running: await peer.start(setup, await placeFor(peer.name, place)),
        });
      }
    }
    for (const { peer, setup, running } of entries) {
      say(`warming ${peer.name} up (${setup})`);
      const mine = workloads.filter((workload) => workload.setup === setup && takes(peer, workload));
      let share = 1;
      for (const workload of Array.from({ length: WARM_UPS }, () => mine).flat()) {
        const seconds = peer.warmUpSeconds * options.warmUp * share;
        await load(running.url, workload, Math.max(1, Math.round(seconds)));
        share = FURTHER;
      }
    }
    for (const round of rounds) {
      for (const workload of workloads) {
        const mine = entries.filter(({ peer, setup }) => setup === workload.setup && takes(peer, workload));
        const [first] = mine;
        if (workload.rate !== undefined && first !== undefined) {
          const straight = await load(`http://${first.place.brokers[0]}`, workload, options.seconds);
          const { p50Us, p99Us, p999Us = 0 } = straight;
          floor.push({ round, workload: workload.name, p50Us, p99Us, p999Us, errors: errorsOf(straight) });
        }
        for (const entry of mine) {
          const measurement = await measure(entry, workload, round, () =>
            load(entry.running.url, workload, options.seconds),
          );
          measurements.push(measurement);
          say(lineOf(measurement, options.rounds));
        }
      }
    }
    return { measurements, floor };
  } finally {
    await owned.close();
  }
}

async function measure(
  { peer, running, place }: Entry,
  workload: Workload,
  round: number,
  load: () => Promise<Load>,
): Promise<Measurement> {
  const { pid } = running.process;
  const hadBytes = await receivedBy(place);
  const before = await usage(pid);
  const result = await load();
  const after = await usage(pid);
  const { requests: whole, bytes: answerBytes } = result;
  const bodyBytes = (await receivedBy(place)) - hadBytes;
  const requests = served(workload, { requests: whole, answerBytes, bodyBytes });
  return {
    round,
    peer: peer.name,
    workload: workload.name,
    cpuUsPerRequest: rounded((after.cpuUs - before.cpuUs) / Math.max(1, requests)),
    requestsPerSecond: rounded((requests * 1e6) / result.durationUs),
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    ...(result.p999Us === undefined ? {} : { p999Us: result.p999Us }),
    rssBytes: after.rssBytes,
    // Nobody who waited to the end got anything.
    errors: requests === 0 ? workload.connections : errorsOf(result),
  };
}

async function receivedBy({ overlord }: Place): Promise<number> {
  return Number(await (await fetch(`http://${overlord}${RECEIVED}`)).text());
}

function lineOf(one: Measurement, rounds: number): string {
  const errors = one.errors === 0 ? '' : `, ${one.errors} ERRORS`;
  return (
    `round ${one.round}/${rounds} ${one.workload.padEnd(11)} ${one.peer.padEnd(14)} ${one.cpuUsPerRequest} µs CPU, ` +
    `${Math.round(one.requestsPerSecond)}/s, p99 ${(one.p99Us / 1_000).toFixed(1)} ms${errors}`
  );
}
