import { claimOf, leaderNamed, MASTER_PATHS } from '../cluster/leadership/masters.ts';
import type { Probe, ProbeAnswer } from '../cluster/probe.ts';
import type { LatchParticipant, MasterRole } from '../discovery/discovery.ts';
import { parseOrigin } from '../net/origin.ts';
import type { LeadershipFacts, MasterAnswer } from './facts.ts';

export interface MasterQuestions {
  readonly probe: Probe;
  /** Credentials for what Druid guards. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Masters that are asked of one role, those of the latch first, all at once. */
const MOST_MASTERS = 20;

/**
 * Asks every known master of a role who leads: those that are announced, and those in the latch. Never rejects.
 */
export async function askMasters(
  role: MasterRole,
  announced: readonly string[],
  latch: readonly LatchParticipant[] | null,
  questions: MasterQuestions,
): Promise<LeadershipFacts> {
  const inLatch = (latch ?? []).map(({ origin }) => origin).filter((origin) => origin !== null);
  const origins = [...new Set([...inLatch, ...announced])].slice(0, MOST_MASTERS);
  return { latch, answers: await Promise.all(origins.map((origin) => askMaster(role, origin, questions))) };
}

async function askMaster(
  role: MasterRole,
  origin: string,
  questions: MasterQuestions,
): Promise<MasterAnswer> {
  const { probe, headers } = questions;
  const { isLeader, leader } = MASTER_PATHS[role];
  const claim = claimOf(await probe(origin, isLeader));
  if (claim !== 'leads' && claim !== 'follows') {
    return { origin, claim, leader: { kind: 'silent' }, redirectsTo: null };
  }
  const [named, moved] = await Promise.all([
    probe(origin, leader, headers),
    // With the slash it is no longer one of the paths that a follower answers itself (`RedirectInfo`), and on a
    // leader it does nothing.
    claim === 'follows' ? probe(origin, `${isLeader}/`) : null,
  ]);
  return { origin, claim, leader: leaderOf(named), redirectsTo: moved === null ? null : locationOf(moved) };
}

function leaderOf(answer: ProbeAnswer): MasterAnswer['leader'] {
  if (answer.kind !== 'answer') return { kind: 'silent' };
  if (isGuarded(answer)) return { kind: 'guarded' };
  if (answer.status !== 200) return { kind: 'silent' };
  const origin = leaderNamed(answer.body);
  return origin === null ? { kind: 'none' } : { kind: 'named', origin };
}

/** Whether the answer wants credentials: a refusal, or a redirect to a login. */
export function isGuarded(answer: ProbeAnswer): boolean {
  return answer.kind === 'answer' && [301, 302, 303, 401, 403].includes(answer.status);
}

function locationOf(answer: ProbeAnswer): string | null {
  if (answer.kind !== 'answer' || answer.status !== 307) return null;
  const location = String(answer.headers?.location ?? '');
  return URL.canParse(location) ? parseOrigin(new URL(location).origin) : null;
}

/** Whether the masters and the latch say the same, so that asking again would not help. */
export function isSettled({ latch, answers }: LeadershipFacts): boolean {
  const leaders = answers.filter(({ claim }) => claim === 'leads');
  const [leader] = leaders;
  if (leaders.length !== 1 || leader === undefined) return false;
  const first = latch?.[0];
  if (first !== undefined && first.origin !== leader.origin) return false;
  return answers.every((answer) => answer.leader.kind !== 'named' || answer.leader.origin === leader.origin);
}
