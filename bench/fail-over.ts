import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DruidLike, startDruidLike } from '../test/kit/upstream/druid-like.ts';
import type { Writer } from '../test/kit/zookeeper/zookeeper-writer.ts';
import { placeFor, type Stage } from './behind.ts';
import type { Options } from './options.ts';
import { createOwned } from './owned.ts';
import type { Peer, Place, RunningPeer } from './peers/peer.ts';
import type { FailOver } from './results.ts';

const LATCH = '/druid/coordinator/_COORDINATOR';
const READ = '/druid/coordinator/v1/datasources';
const RETRY_MS = 5;
/** Long enough that everybody has seen the old leader come back as a follower; plus a random part of a second. */
const CALM_MS = 2_500;
const LONGEST_MS = 60_000;
const ITSELF = 'the new leader, asked directly';

/**
 * Kills the leading one of two Druid-like Coordinators again and again, and takes the time from the moment at which
 * ZooKeeper's latch names the other to the first good answer by each peer, all asked at the same time.
 */
export async function measureFailOver(
  peers: readonly Peer[],
  options: Options,
  stage: Omit<Stage, 'owned'>,
  say: (line: string) => void,
): Promise<readonly FailOver[]> {
  const { signal } = stage;
  const owned = createOwned();
  const folder = join(stage.folder, 'failover');
  await mkdir(folder);
  const cluster = await startDruidLike({
    zookeeper: stage.zookeeper,
    roles: ['coordinator', 'coordinator', 'overlord', 'broker'],
  });
  try {
    let [leader, follower] = cluster.of('coordinator');
    if (leader === undefined || follower === undefined) throw new Error('there are not two Coordinators');
    const place: Place = {
      folder,
      core: stage.core,
      coordinators: [leader.hostAndPort, follower.hostAndPort],
      overlord: cluster.of('overlord')[0]?.hostAndPort ?? '',
      brokers: cluster.of('broker').map(({ hostAndPort }) => hostAndPort),
      zookeeper: { connect: stage.zookeeper, basePath: '/druid' },
      own: owned.own,
      signal,
    };
    const targets = new Map<string, RunningPeer>();
    for (const peer of peers) {
      if (!peer.follows) continue;
      say(`starting ${peer.name} (failover)`);
      targets.set(peer.name, await peer.start('relay', await placeFor(peer.name, place)));
    }
    const times = new Map<string, number[]>();
    for (let i = 1; i <= options.elections; i++) {
      await sleep(CALM_MS + Math.random() * 1_000, undefined, { signal });
      const urls = new Map([
        [ITSELF, follower.origin],
        ...[...targets].map(([k, { url }]) => [k, url] as const),
      ]);
      const outcome = await election(leader, urls, stage.writer, signal);
      for (const [name, ms] of outcome) times.set(name, [...(times.get(name) ?? []), ms]);
      say(
        `election ${i}/${options.elections} ${[...outcome].map(([name, ms]) => `${name} ${ms} ms`).join(', ')}`,
      );
      await leader.start();
      [leader, follower] = [follower, leader];
    }
    return [...times].map(([target, ms]) => ({ target, ms }));
  } finally {
    await owned.close();
    await cluster.close();
  }
}

async function election(
  leader: DruidLike,
  urls: ReadonlyMap<string, string>,
  writer: Writer,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const moved = latchMoves(writer);
  await leader.kill('SIGKILL');
  const answers = [...urls].map(async ([name, url]) => [name, await firstSuccess(url, signal)] as const);
  const since = await moved;
  return new Map((await Promise.all(answers)).map(([name, at]) => [name, Math.round(at - since)]));
}

/** Resolves with the time at which the latch's children change. */
function latchMoves(writer: Writer): Promise<number> {
  return new Promise((resolve, reject) => {
    writer.client.getChildren(
      LATCH,
      () => resolve(performance.now()),
      (error) => {
        if (error) reject(new Error(String(error)));
      },
    );
  });
}

/** The time of the first 200; the old leader is dead, so that nobody else than the new one can be behind it. */
async function firstSuccess(url: string, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + LONGEST_MS;
  for (;;) {
    signal.throwIfAborted();
    if (performance.now() > deadline) throw new Error(`${url} did not follow the leader within a minute`);
    try {
      const response = await fetch(url + READ, {
        redirect: 'manual',
        signal: AbortSignal.timeout(LONGEST_MS),
      });
      await response.arrayBuffer();
      if (response.status === 200) return performance.now();
    } catch {
      // Not yet.
    }
    await sleep(RETRY_MS);
  }
}
