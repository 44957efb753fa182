import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDruidJars, ensureZooKeeperJars } from '../tools/druid-cluster/artifacts.ts';
import { DATASOURCE, loadDataset } from '../tools/druid-cluster/dataset.ts';
import { startDruidCluster } from '../tools/druid-cluster/druid-cluster.ts';
import type { DruidRole } from '../tools/druid-cluster/druid-properties.ts';
import { placeFor, type Stage } from './behind.ts';
import type { Options } from './options.ts';
import { createOwned } from './owned.ts';
import { outputOf, type Peer, type Place } from './peers/peer.ts';
import type { DruidMeasurement } from './results.ts';
import { rounded } from './stats.ts';
import { errorsOf, type Load, runWrk } from './wrk.ts';

export const CLIENTS = [1, 8, 64] as const;
export const DIRECT = 'direct';
const BODY = Buffer.from(
  JSON.stringify({
    query: `SELECT SUM(visits) AS visits FROM ${DATASOURCE}`,
  }),
);
const MOST_CLIENTS = 64;
const MOST_ROUNDS = 3;
/** The Router and the gateway as everywhere else; others do not find Brokers by themselves. */
const WAYS = ['router', 'express', 'other'];
/** The compiler for long runs, and caches and plans of Druid. */
const WARM_UP_SECONDS = 15;

const extraProperties = (role: DruidRole): readonly string[] =>
  role === 'coordinator'
    ? [
        'druid.coordinator.asOverlord.enabled=true',
        'druid.coordinator.asOverlord.overlordService=druid/overlord',
      ]
    : ['druid.server.http.numThreads=60', 'druid.processing.numThreads=2'];

/** Why it cannot be measured; null when it can. */
export async function missingForDruid(): Promise<string | null> {
  for (const [program, flag] of [
    ['java', '-version'],
    ['mvn', '-v'],
  ] as const) {
    if ((await outputOf(program, flag)) === null) return `there is no ${program}`;
  }
  return null;
}

/**
 * A sum over a small table of a real Druid (one process of each kind), asked of its Broker directly, by the
 * Router and by the gateway, with 1, 8 and 64 clients.
 */
export async function measureDruid(
  peers: readonly Peer[],
  options: Options,
  stage: Omit<Stage, 'owned'>,
  say: (line: string) => void,
): Promise<readonly DruidMeasurement[]> {
  const { signal } = stage;
  const folder = join(stage.folder, 'druid');
  await mkdir(folder);
  const cluster = await startDruidCluster({
    folder,
    druidClassPath: await ensureDruidJars(say),
    zookeeperClassPath: await ensureZooKeeperJars(say),
    waves: [
      [
        ['coordinator', 'coordinator'],
        ['broker', 'broker'],
        ['historical', 'historical'],
        ['indexer', 'indexer'],
      ],
    ],
    extraProperties,
    // The tools' own are for a quick start: without the compiler for long runs.
    extraFlags: ['-XX:TieredStopAtLevel=4'],
    report: say,
    signal,
  });
  const owned = createOwned();
  try {
    const at = (name: string): string => `127.0.0.1:${cluster.node(name).port}`;
    const place: Place = {
      folder,
      core: stage.core,
      coordinators: [at('coordinator')],
      overlord: at('coordinator'),
      brokers: [at('broker')],
      zookeeper: { connect: cluster.zookeeper, basePath: '/druid' },
      own: owned.own,
      signal,
    };
    const ways = new Map([[DIRECT, `http://${at('broker')}`]]);
    for (const peer of peers) {
      if (!WAYS.includes(peer.name)) continue;
      say(`starting ${peer.name} (druid)`);
      ways.set(peer.name, (await peer.start('relay', await placeFor(peer.name, place))).url);
    }
    await loadDataset(`http://${at('coordinator')}`, signal, `http://${at('broker')}`);
    await cluster.remove('indexer');
    return await measure(ways, options, signal, say);
  } finally {
    await owned.close();
    await cluster.close();
  }
}

async function measure(
  ways: ReadonlyMap<string, string>,
  { rounds, seconds, cores, warmUp }: Options,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<readonly DruidMeasurement[]> {
  const load = (url: string, connections: number, duration: number): Promise<Load> =>
    runWrk(
      {
        url: `${url}/druid/v2/sql`,
        method: 'POST',
        bodyBytes: BODY.length,
        bodies: [BODY],
        connections,
        seconds: duration,
        core: cores[1],
      },
      signal,
    );
  for (const [way, url] of ways) {
    say(`warming ${way} up (druid)`);
    await load(url, MOST_CLIENTS, Math.max(1, Math.round(WARM_UP_SECONDS * warmUp)));
  }
  const measurements: DruidMeasurement[] = [];
  for (let round = 1; round <= Math.min(rounds, MOST_ROUNDS); round++) {
    for (const clients of CLIENTS) {
      for (const [way, url] of ways) {
        const result = await load(url, clients, seconds);
        const { requests, durationUs, p50Us, p99Us } = result;
        const requestsPerSecond = rounded((requests * 1e6) / durationUs);
        const errors = requests === 0 ? clients : errorsOf(result);
        measurements.push({ round, way, clients, requestsPerSecond, p50Us, p99Us, errors });
        const failed = errors === 0 ? '' : `, ${errors} ERRORS`;
        say(
          `round ${round} druid ${clients} clients ${way}: ${Math.round(requestsPerSecond)}/s, ` +
            `p50 ${(p50Us / 1_000).toFixed(1)} ms, p99 ${(p99Us / 1_000).toFixed(1)} ms${failed}`,
        );
      }
    }
  }
  return measurements;
}
