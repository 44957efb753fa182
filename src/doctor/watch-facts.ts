import { setTimeout as sleep } from 'node:timers/promises';
import { MASTER_ROLES, type MasterRole } from '../discovery/discovery.ts';
import type { WatchFacts } from './facts.ts';

const LOOK_MS = 500;

/**
 * Watches who leads for `durationMs` and counts how often that changes. `leader` says who does now; null, and an
 * error, mean that it is not known, which is no change.
 */
export async function watchLeaders(
  durationMs: number,
  leader: (role: MasterRole) => Promise<string | null>,
): Promise<WatchFacts> {
  const last: Record<MasterRole, string | null> = { coordinator: null, overlord: null };
  const changes: Record<MasterRole, number> = { coordinator: 0, overlord: 0 };
  const end = performance.now() + durationMs;
  for (;;) {
    for (const role of MASTER_ROLES) {
      const now = await leader(role).catch(() => null);
      if (now === null) continue;
      if (last[role] !== null && last[role] !== now) changes[role]++;
      last[role] = now;
    }
    const left = end - performance.now();
    if (left <= 0) return { durationMs, changes };
    await sleep(Math.min(LOOK_MS, left));
  }
}
