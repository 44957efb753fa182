import { placeFor, type Stage, startBehind } from './behind.ts';
import type { Options } from './options.ts';
import { createOwned } from './owned.ts';
import type { Peer, Place, RunningPeer, Setup } from './peers/peer.ts';
import { usage } from './proc.ts';
import type { Measurement } from './results.ts';
import { RECEIVED, served, type Workload } from './workloads.ts';
import { errorsOf, runWrk } from './wrk.ts';

/** Each further workload needs less of a warm-up than the first. */
const FURTHER = 0.2;

interface Entry {
  readonly peer: Peer;
  readonly running: RunningPeer;
}

/**
 * All workloads of one setup by all its peers: everybody is started and warmed up, and then each round goes over all
 * workloads and, within each, over all peers, so that what changes with time meets everybody.
 */
export async function measureSetup(
  name: string,
  setup: Setup,
  peers: readonly Peer[],
  workloads: readonly Workload[],
  options: Options,
  stage: Omit<Stage, 'owned'>,
  say: (line: string) => void,
): Promise<readonly Measurement[]> {
  const { signal } = stage;
  const measurements: Measurement[] = [];
  const owned = createOwned();
  try {
    const place = await startBehind(name, setup, { ...stage, owned });
    const entries: Entry[] = [];
    for (const peer of peers) {
      if (!peer.setups.includes(setup) || !workloads.some((workload) => takes(peer, workload))) continue;
      signal.throwIfAborted();
      say(`starting ${peer.name} (${setup})`);
      entries.push({ peer, running: await peer.start(setup, await placeFor(peer.name, place)) });
    }
    const load = (entry: Entry, workload: Workload, seconds: number) =>
      runWrk(
        { ...workload, url: entry.running.url + workload.target, seconds, core: options.cores[1] },
        signal,
      );
    for (const entry of entries) {
      const mine = workloads.filter((workload) => takes(entry.peer, workload));
      say(`warming ${entry.peer.name} up`);
      for (const [i, workload] of mine.entries()) {
        const seconds = entry.peer.warmUpSeconds * options.warmUp * (i === 0 ? 1 : FURTHER);
        await load(entry, workload, Math.max(1, Math.round(seconds)));
      }
    }
    for (let round = 1; round <= options.rounds; round++) {
      for (const workload of workloads) {
        for (const entry of entries) {
          if (!takes(entry.peer, workload)) continue;
          const { pid } = entry.running.process;
          const hadBytes = await receivedBy(place);
          const before = await usage(pid);
          const result = await load(entry, workload, options.seconds);
          const after = await usage(pid);
          const { requests: whole, bytes: answerBytes } = result;
          const bodyBytes = (await receivedBy(place)) - hadBytes;
          const requests = served(workload, { requests: whole, answerBytes, bodyBytes });
          const measurement: Measurement = {
            round,
            peer: entry.peer.name,
            workload: workload.name,
            cpuUsPerRequest: rounded((after.cpuUs - before.cpuUs) / Math.max(1, requests)),
            requestsPerSecond: rounded((requests * 1e6) / result.durationUs),
            p50Us: result.p50Us,
            p99Us: result.p99Us,
            rssBytes: after.rssBytes,
            // Nobody who waited to the end got anything.
            errors: requests === 0 ? workload.connections : errorsOf(result),
          };
          measurements.push(measurement);
          say(lineOf(measurement, options.rounds));
        }
      }
    }
    return measurements;
  } finally {
    await owned.close();
  }
}

async function receivedBy({ overlord }: Place): Promise<number> {
  return Number(await (await fetch(`http://${overlord}${RECEIVED}`)).text());
}

function takes(peer: Peer, workload: Workload): boolean {
  return peer.workloads === undefined || peer.workloads.includes(workload.name);
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

function lineOf(one: Measurement, rounds: number): string {
  const errors = one.errors === 0 ? '' : `, ${one.errors} ERRORS`;
  return (
    `round ${one.round}/${rounds} ${one.workload.padEnd(11)} ${one.peer.padEnd(14)} ${one.cpuUsPerRequest} µs CPU, ` +
    `${Math.round(one.requestsPerSecond)}/s, p99 ${(one.p99Us / 1_000).toFixed(1)} ms${errors}`
  );
}
