import type { Latch, MasterRole, SourceState } from '../../discovery/discovery.ts';
import type { UpstreamNode } from '../node.ts';
import type { ElectedLeader, LeaderView, NoLeader, ServingLeader, WaitReason } from '../view.ts';

/**
 * What a master last said of itself. `leads`: `isLeader` 200. `follows`: any other answer, the 307 to itself and
 * the 404 and 503 of one that initialises included. `refused`: no connection. `silent`: too slow, or cut off.
 */
export type LeaderClaim = 'leads' | 'follows' | 'refused' | 'silent';

export interface ProbeResult {
  readonly claim: LeaderClaim;
  /** Its own `leader` answer names itself; `untold` where that wants credentials, null where it was not asked. */
  readonly namesItself: boolean | 'untold' | null;
  /** When it was *asked*, on the stamp clock: an answer to an older question proves nothing new. */
  readonly asked: number;
  /** How often in a row, this time included, it was silent. */
  readonly silences: number;
}

export interface LeadershipInput {
  readonly role: MasterRole;
  /** The latch as last read; null where the source has none. */
  readonly latch: Latch | null;
  readonly source: SourceState;
  /** Discovery has been read whole once. */
  readonly complete: boolean;
  /** What each known master last said, by origin. */
  readonly probes: ReadonlyMap<string, ProbeResult>;
  readonly nodeAt: (origin: string) => UpstreamNode;
  /** Epoch milliseconds. */
  readonly now: number;
  /** The stamp clock: grows with every reading, so that "asked after" is never a tie. */
  readonly stamp: () => number;
}

export interface Leadership {
  readonly view: LeaderView;
  /** Probes asked before this stamp say nothing about the present leader. */
  readonly confirmAfter: number;
}

/** How often a serving leader may be silent before requests wait instead of going to it. */
const SILENCES = 2;

export function noLeader(role: MasterRole, now: number): Leadership {
  return { view: nobody(role, now, 'discovery_incomplete'), confirmAfter: 0 };
}

/**
 * The next state of a role's leadership. While ZooKeeper is there the latch's first child decides who, and that
 * node's own `isLeader` when: what it said before it was elected does not count. Without ZooKeeper a node must say
 * `isLeader` 200 and name itself in `leader`, since a former leader may go on saying the first for minutes after a
 * ZooKeeper outage (CuratorDruidLeaderSelector). On a secured cluster `isLeader` is open to all and `leader` is not:
 * there a node is believed while it is the only one that says that it leads.
 */
export function nextLeadership(previous: Leadership, input: LeadershipInput): Leadership {
  const { latch, source } = input;
  return latch !== null && source === 'connected'
    ? byLatch(previous, latch, input)
    : byProbe(previous, input);
}

/** A request found that the leader does not lead or cannot be reached: it must confirm anew. */
export function distrust(
  previous: Leadership,
  reason: WaitReason,
  now: number,
  stamp: () => number,
): Leadership {
  if (previous.view.node === null) return previous;
  const confirmAfter = stamp();
  if (previous.view.state !== 'serving') return { ...previous, confirmAfter };
  return { view: { ...previous.view, state: 'elected', since: now, waitReason: reason }, confirmAfter };
}

function byLatch(previous: Leadership, latch: Latch, input: LeadershipInput): Leadership {
  const first = latch.participants[0];
  if (first === undefined) {
    return none(previous, input, input.complete ? 'no_leader' : 'discovery_incomplete');
  }
  if (first.origin === null) {
    // The holder's data names no node. It leads all the same: the next participant does not.
    return elected(previous, input, null, first.sequence, 'latch', 'no_leader');
  }
  const node = input.nodeAt(first.origin);
  const { view } = previous;
  // A node that served by probes while ZooKeeper was away, and then turns out to be the elected one, goes on.
  const known =
    view.node === node && (view.term === first.sequence || (view.term === null && view.state === 'serving'));
  const base = known ? previous : { ...previous, confirmAfter: input.stamp() };
  const probe = input.probes.get(first.origin);
  const fresh = probe !== undefined && probe.asked >= base.confirmAfter;
  if (fresh && probe.claim === 'leads') return serving(base, input, node, first.sequence, 'both');
  const patient = !fresh || (probe.claim === 'silent' && probe.silences < SILENCES);
  if (known && view.state === 'serving' && patient) {
    return serving(base, input, node, first.sequence, view.knownBy === 'both' ? 'both' : 'latch');
  }
  const reason = reasonOf(fresh ? probe : undefined, known ? view : null);
  return elected(base, input, node, first.sequence, 'latch', reason);
}

function reasonOf(probe: ProbeResult | undefined, view: LeaderView | null): WaitReason {
  if (probe === undefined) return view?.waitReason ?? 'leader_initialising';
  return probe.claim === 'refused' || probe.claim === 'silent' ? 'leader_unreachable' : 'leader_initialising';
}

function byProbe(previous: Leadership, input: LeadershipInput): Leadership {
  const { latch, probes, complete } = input;
  const first = latch?.participants[0];
  const { view, confirmAfter } = previous;
  const claims = (origin: string | null | undefined): origin is string => {
    const probe = origin == null ? undefined : probes.get(origin);
    if (probe?.claim !== 'leads') return false;
    const sole = probe.namesItself === 'untold' && claimants(probes) === 1;
    if (probe.namesItself !== true && !sole) return false;
    return origin !== view.node?.origin || probe.asked >= confirmAfter;
  };
  const current = view.node?.origin;
  let leader: string | null = null;
  if (claims(current)) leader = current;
  else if (claims(first?.origin)) leader = first.origin;
  else for (const origin of probes.keys()) if (claims(origin)) leader ??= origin;
  if (leader !== null) {
    const term = first?.origin === leader ? first.sequence : null;
    return serving(previous, input, input.nodeAt(leader), term, 'probe');
  }
  const probe = current === undefined ? undefined : probes.get(current);
  const denied =
    probe !== undefined &&
    probe.asked >= confirmAfter &&
    !(probe.claim === 'leads' && probe.namesItself === null);
  const patient = !denied || (probe.claim === 'silent' && probe.silences < SILENCES);
  if (view.state === 'serving' && patient && input.source !== 'closed') {
    // Out of touch for a moment: the last confirmed leader serves until it says otherwise.
    return serving(previous, input, view.node, view.term, 'stale');
  }
  if (!complete) return none(previous, input, 'discovery_incomplete');
  const waitReason: WaitReason = latch === null ? 'no_leader' : 'zookeeper_stale';
  if (first?.origin != null) {
    return elected(previous, input, input.nodeAt(first.origin), first.sequence, 'stale', waitReason);
  }
  return none(previous, input, waitReason);
}

function claimants(probes: ReadonlyMap<string, ProbeResult>): number {
  return [...probes.values()].filter(({ claim }) => claim === 'leads').length;
}

function nobody(role: MasterRole, since: number, waitReason: WaitReason): NoLeader {
  return { role, state: 'none', node: null, term: null, knownBy: 'nothing', since, waitReason };
}

function none(previous: Leadership, { role, now }: LeadershipInput, reason: WaitReason): Leadership {
  return settle(previous, nobody(role, now, reason));
}

function elected(
  previous: Leadership,
  { role, now }: LeadershipInput,
  node: UpstreamNode | null,
  term: number,
  knownBy: ElectedLeader['knownBy'],
  waitReason: WaitReason,
): Leadership {
  return settle(previous, { role, state: 'elected', node, term, knownBy, since: now, waitReason });
}

function serving(
  previous: Leadership,
  { role, now }: LeadershipInput,
  node: UpstreamNode,
  term: number | null,
  knownBy: ServingLeader['knownBy'],
): Leadership {
  return settle(previous, { role, state: 'serving', node, term, knownBy, since: now, waitReason: null });
}

/** Takes over `next`, a view as of now, as far as it is another one; `since` goes on while nobody moves. */
function settle(previous: Leadership, next: LeaderView): Leadership {
  const { view } = previous;
  const moved = view.state !== next.state || view.node !== next.node || view.term !== next.term;
  if (!moved && view.knownBy === next.knownBy && view.waitReason === next.waitReason) return previous;
  return { ...previous, view: moved ? next : { ...next, since: view.since } };
}

/** Origins that claim to lead although another node does. `asked` after the stamp `after` counts. */
export function rivals(view: LeaderView, probes: ReadonlyMap<string, ProbeResult>, after: number): string[] {
  if (view.node === null) return [];
  const found: string[] = [];
  for (const [origin, probe] of probes) {
    if (origin !== view.node.origin && probe.claim === 'leads' && probe.asked > after) found.push(origin);
  }
  return found;
}
