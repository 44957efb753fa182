import { type DiscoverySnapshot, type Latch, MASTER_ROLES, type MasterRole } from './discovery.ts';

/**
 * What is told between the last snapshot of one source and the first of another. Each source numbers its terms by
 * itself, so the same leader with the same number is another term, and must confirm itself; such an election is told as
 * an empty latch first. Null if no two terms can be taken for one.
 */
export function betweenTerms(before: DiscoverySnapshot, after: DiscoverySnapshot): DiscoverySnapshot | null {
  const { latches } = after;
  if (before.latches === null || latches === null) return null;
  const former = before.latches;
  const alike = MASTER_ROLES.filter((role) => isAlike(former[role], latches[role]));
  if (alike.length === 0) return null;
  const told = (role: MasterRole): Latch => (alike.includes(role) ? { participants: [] } : latches[role]);
  return { ...after, latches: { coordinator: told('coordinator'), overlord: told('overlord') } };
}

function isAlike({ participants: [a] }: Latch, { participants: [b] }: Latch): boolean {
  return a !== undefined && b !== undefined && a.origin === b.origin && a.sequence === b.sequence;
}
