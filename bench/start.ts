import { setTimeout as sleep } from 'node:timers/promises';
import { placeFor, type Stage, startBehind } from './behind.ts';
import type { Options } from './options.ts';
import { createOwned } from './owned.ts';
import type { Peer } from './peers/peer.ts';
import type { Start } from './results.ts';
import { median } from './stats.ts';

/**
 * The time from the start of each build of the gateway to its first answer of a Broker, by turns. ZooKeeper and the
 * nodes are there already, on the same machine.
 */
export async function measureStarts(
  peers: readonly Peer[],
  options: Options,
  stage: Omit<Stage, 'owned'>,
  say: (line: string) => void,
): Promise<readonly Start[]> {
  const { signal } = stage;
  const times = new Map<string, number[]>();
  const behind = createOwned();
  try {
    const place = await startBehind('start', 'relay', { ...stage, owned: behind });
    for (let i = 1; i <= options.starts; i++) {
      for (const peer of peers) {
        if (peer.begin === undefined) continue;
        signal.throwIfAborted();
        const owned = createOwned();
        try {
          const own = await placeFor(`${peer.name}-${i}`, { ...place, own: owned.own });
          const { url, process, since } = await peer.begin('relay', own);
          const ms = (await firstAnswer(`${url}/druid/v2/sql`, () => process.running, signal)) - since;
          times.set(peer.name, [...(times.get(peer.name) ?? []), Math.round(ms)]);
        } finally {
          await owned.close();
        }
      }
    }
  } finally {
    await behind.close();
  }
  for (const [peer, ms] of times) say(`start ${peer}: ${median(ms)} ms`);
  return [...times].map(([peer, ms]) => ({ peer, ms }));
}

const LONGEST_MS = 60_000;

/** The time of the first 200. What is not listening yet refuses at once, and is asked again after a millisecond. */
async function firstAnswer(url: string, runs: () => boolean, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + LONGEST_MS;
  for (;;) {
    signal.throwIfAborted();
    if (!runs()) throw new Error('the gateway ended before its first answer');
    if (performance.now() > deadline) throw new Error(`${url} did not answer within a minute`);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query":"SELECT 1"}',
        signal: AbortSignal.timeout(LONGEST_MS),
      });
      await response.arrayBuffer();
      if (response.status === 200) return performance.now();
    } catch {
      // Not yet.
    }
    await sleep(1);
  }
}
