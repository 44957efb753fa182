import type { MasterRole } from '../../discovery/discovery.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { parseOrigin } from '../../net/origin.ts';
import { createPoller, type Poller } from '../../time/poller.ts';
import type { UpstreamNode } from '../node.ts';
import type { Probe, ProbeAnswer } from '../probe.ts';
import type { LeaderClaim, ProbeResult } from './leadership.ts';

/** Every Coordinator, Overlord and combined process serves these without a redirect (RedirectInfo's local paths). */
export const MASTER_PATHS = {
  coordinator: { isLeader: '/druid/coordinator/v1/isLeader', leader: '/druid/coordinator/v1/leader' },
  overlord: { isLeader: '/druid/indexer/v1/isLeader', leader: '/druid/indexer/v1/leader' },
} as const;

export interface MastersOptions {
  readonly role: MasterRole;
  readonly probe: Probe;
  readonly stamp: () => number;
  readonly random: () => number;
  /** Milliseconds until the next probe of this node. */
  readonly interval: (node: UpstreamNode) => number;
  /** Whether `leader` must be asked too because no latch vouches for the node. */
  readonly needsName: () => boolean;
  readonly onResult: () => void;
  /** Receives errors of the gateway's own code. */
  readonly errors: InternalErrors;
}

/** Probes the known masters of one role: do they lead? */
export interface Masters {
  readonly results: ReadonlyMap<string, ProbeResult>;
  /** Replaces the set of nodes to probe. */
  watch(nodes: ReadonlySet<UpstreamNode>): void;
  /** Probes this node now; without an argument, all nodes. */
  hurry(node?: UpstreamNode): void;
  stop(): void;
}

/** Creates the prober without nodes; `watch` sets them. Call `stop` to end the probes. */
export function createMasters(options: MastersOptions): Masters {
  const { role, probe, stamp, random, interval, needsName, onResult, errors } = options;
  const pollers = new Map<UpstreamNode, Poller>();
  const results = new Map<string, ProbeResult>();

  async function ask(node: UpstreamNode): Promise<void> {
    const asked = stamp();
    const answer = await probe(node.origin, MASTER_PATHS[role].isLeader);
    const claim = claimOf(answer);
    const namesItself =
      claim === 'leads' && needsName()
        ? namesOf(await probe(node.origin, MASTER_PATHS[role].leader), node.origin)
        : null;
    if (!pollers.has(node)) return;
    const silences = claim === 'silent' ? (results.get(node.origin)?.silences ?? 0) + 1 : 0;
    results.set(node.origin, { claim, namesItself, asked, silences });
    onResult();
  }

  return {
    results,
    watch(nodes) {
      for (const [node, poller] of pollers) {
        if (nodes.has(node)) continue;
        poller.stop();
        pollers.delete(node);
        results.delete(node.origin);
      }
      for (const node of nodes) {
        if (pollers.has(node)) continue;
        // Registered before the first answer can arrive.
        pollers.set(node, { pollNow() {}, stop() {} });
        pollers.set(
          node,
          createPoller({ ask: () => ask(node), interval: () => interval(node), random, errors }),
        );
      }
    },
    hurry(node) {
      if (node !== undefined) pollers.get(node)?.pollNow();
      else for (const poller of pollers.values()) poller.pollNow();
    },
    stop() {
      for (const poller of pollers.values()) poller.stop();
      pollers.clear();
    },
  };
}

/** Returns what an answer to `isLeader` claims. */
export function claimOf(answer: ProbeAnswer): LeaderClaim {
  if (answer.kind !== 'answer') return answer.kind;
  return answer.status === 200 ? 'leads' : 'follows';
}

/** Reading `leader` is reading the cluster's state, which a secured cluster refuses without credentials. */
function namesOf(answer: ProbeAnswer, origin: string): boolean | 'untold' {
  if (answer.kind !== 'answer') return false;
  if (answer.status === 401 || answer.status === 403) return 'untold';
  return answer.status === 200 && leaderNamed(answer.body) === origin;
}

/** Returns the origin that an answer to `leader` names: a bare URL as Java spells it, with or without quotes. */
export function leaderNamed(body: string): string | null {
  return parseOrigin(body.trim().replace(/^"|"$/g, ''));
}
