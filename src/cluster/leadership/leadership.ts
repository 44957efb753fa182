import type { Latch, MasterRole, SourceState } from '../../discovery/discovery.ts';
import type { UpstreamNode } from '../node.ts';
import type { ElectedLeader, LeaderView, NoLeader, ServingLeader, WaitReason } from '../view.ts';

/**
 * A master's last answer about itself. `leads`: `isLeader` 200. `follows`: any other answer, including a 307 to
 * itself and the 404 or 503 of an initialising master. `refused`: no connection. `silent`: too slow, or cut off.
 */
export type LeaderClaim = 'leads' | 'follows' | 'refused' | 'silent';

export interface ProbeResult {
  readonly claim: LeaderClaim;
  /**
   * Whether the master's `leader` answer names that master. `untold` if `leader` wants credentials; null if it was
   * not asked.
   */
  readonly namesItself: boolean | 'untold' | null;
  /** When the probe was *sent*, on the stamp clock. The answer to an older probe proves nothing new. */
  readonly asked: number;
  /** Silent probes in a row, this one included. */
  readonly silences: number;
}

export interface LeadershipInput {
  readonly role: MasterRole;
  /** The latch as last read; null if the source has no latches. */
  readonly latch: Latch | null;
  readonly source: SourceState;
  /** Discovery has been read completely once. */
  readonly complete: boolean;
  /** The last probe result of each known master, by origin. */
  readonly probes: ReadonlyMap<string, ProbeResult>;
  readonly nodeAt: (origin: string) => UpstreamNode;
  /** Epoch milliseconds. */
  readonly now: number;
  /** The stamp clock. It grows with every reading, so two stamps are never equal. */
  readonly stamp: () => number;
}

export interface Leadership {
  readonly view: LeaderView;
  /** Probes sent before this stamp say nothing about the present leader. */
  readonly confirmAfter: number;
}

/** Silent probes in a row after which requests wait instead of going to a serving leader. */
const SILENCES = 2;

/** The leadership of a role before discovery has been read. `now` is in epoch milliseconds. */
export function noLeader(role: MasterRole, now: number): Leadership {
  return { view: nobody(role, now, 'discovery_incomplete'), confirmAfter: 0 };
}

/**
 * The next state of a role's leadership. While ZooKeeper is connected, the latch's first child decides which node
 * leads, and that node's own `isLeader` decides when. Its answers from before the election do not count. Without
 * ZooKeeper a node must answer `isLeader` with 200 and name itself in `leader`: after a ZooKeeper outage a former
 * leader may go on answering `isLeader` with 200 for minutes (CuratorDruidLeaderSelector). A secured cluster answers
 * `isLeader` to all but not `leader`. There a node is believed while it is the only one that claims to lead.
 */
export function nextLeadership(previous: Leadership, input: LeadershipInput): Leadership {
  const { latch, source } = input;
  return latch !== null && source === 'connected'
    ? byLatch(previous, latch, input)
    : byProbe(previous, input);
}

/**
 * A request found that the leader does not lead, or cannot be reached. The leader must confirm again: only probes
 * sent from now on count.
 */
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
    // The latch holder's data names no node. It still leads, and the next participant does not.
    return elected(previous, input, null, first.sequence, 'latch', 'no_leader');
  }
  const node = input.nodeAt(first.origin);
  const { view } = previous;
  // A node that served by probes during a ZooKeeper outage, and proves to be the elected one, goes on serving.
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
    // Out of touch for a moment. The last confirmed leader serves until it denies that it leads.
    return serving(previous, input, view.node, view.term, 'stale');
  }
  if (!complete) return none(previous, input, 'discovery_incomplete');
  const waitReason: WaitReason = latch === null ? 'no_leader' : 'discovery_stale';
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

/** Adopts `next` if it differs from the previous view. `since` is kept while state, node and term stay the same. */
function settle(previous: Leadership, next: LeaderView): Leadership {
  const { view } = previous;
  const moved = view.state !== next.state || view.node !== next.node || view.term !== next.term;
  if (!moved && view.knownBy === next.knownBy && view.waitReason === next.waitReason) return previous;
  return { ...previous, view: moved ? next : { ...next, since: view.since } };
}

/** Origins that claim to lead while another node leads. Only probes sent after the stamp `after` count. */
export function rivals(view: LeaderView, probes: ReadonlyMap<string, ProbeResult>, after: number): string[] {
  if (view.node === null) return [];
  const found: string[] = [];
  for (const [origin, probe] of probes) {
    if (origin !== view.node.origin && probe.claim === 'leads' && probe.asked > after) found.push(origin);
  }
  return found;
}
