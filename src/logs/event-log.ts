import type { Logger } from 'pino';
import type { Cluster, ClusterEvents } from '../cluster/cluster.ts';
import type { LeaderView } from '../cluster/view.ts';
import type { Discovery, SourceStatus } from '../discovery/discovery.ts';
import type { RulesSource } from '../routing/tiers/load-rules-source.ts';

/** A broken announcement is reported on every read; this many fault lines a minute are enough. */
const FAULTS_PER_MINUTE = 10;

/** Logs changes in the cluster and in discovery. Returns a function that removes its listeners. */
export function logClusterEvents(
  logger: Logger,
  cluster: Cluster,
  discovery: Discovery,
  now: () => number = Date.now,
): () => void {
  const onLeader = (...[before, after]: ClusterEvents['leader']): void => {
    logger.info(
      { role: after.role, term: after.term, from: leader(before), to: leader(after) },
      'leader changed',
    );
  };
  const onConflict = (conflict: ClusterEvents['conflict'][0]): void => {
    logger.error(conflict, 'a node claims to lead while the latch names another; the latch is followed');
  };
  const onEjection = ({ node, failures, durationMs }: ClusterEvents['ejection'][0]): void => {
    logger.warn({ node: node.hostAndPort, failures, ms: durationMs }, 'broker ejected: its requests failed');
  };
  const onStatus = ({ state, detail }: SourceStatus): void => {
    const line = { discovery: discovery.kind, state, detail };
    if (state === 'suspended' || state === 'lost') logger.warn(line, 'discovery is out of touch');
    else logger.info(line, 'discovery state');
  };
  const admit = perMinute(FAULTS_PER_MINUTE, now);
  const onFault = (fault: string): void => {
    const suppressed = admit();
    if (suppressed !== null) logger.warn({ discovery: discovery.kind, fault, suppressed }, 'discovery fault');
  };
  const admitTlsFault = perMinute(FAULTS_PER_MINUTE, now);
  const onTlsFault = ({ origin, why }: ClusterEvents['tlsFault'][0]): void => {
    const suppressed = admitTlsFault();
    if (suppressed !== null) logger.warn({ node: origin, why, suppressed }, 'a node cannot be asked');
  };
  cluster.on('tlsFault', onTlsFault);
  cluster.on('leader', onLeader);
  cluster.on('conflict', onConflict);
  cluster.on('ejection', onEjection);
  discovery.on('status', onStatus);
  discovery.on('fault', onFault);
  return () => {
    cluster.off('tlsFault', onTlsFault);
    cluster.off('leader', onLeader);
    cluster.off('conflict', onConflict);
    cluster.off('ejection', onEjection);
    discovery.off('status', onStatus);
    discovery.off('fault', onFault);
  };
}

function leader({ state, node, term, knownBy, waitReason }: LeaderView): object {
  return { state, node: node?.hostAndPort ?? null, term, knownBy, waitReason };
}

/** Logs when reading the Coordinator's load rules starts to fail, and when it works again. */
export function logRulesEvents(logger: Logger, rules: RulesSource): void {
  rules.on('state', (fault) => {
    if (fault === null) logger.info({ rules: rules.book?.size }, 'load rules are read');
    else logger.warn({ fault }, 'load rules cannot be read; those read last are kept');
  });
}

/** Returns null if the line is over the limit, otherwise how many were suppressed before it. */
function perMinute(limit: number, now: () => number): () => number | null {
  let windowStart = Number.NEGATIVE_INFINITY;
  let admitted = 0;
  let suppressed = 0;
  return () => {
    if (now() - windowStart >= 60_000) {
      windowStart = now();
      admitted = 0;
    }
    if (admitted >= limit) {
      suppressed += 1;
      return null;
    }
    admitted += 1;
    const before = suppressed;
    suppressed = 0;
    return before;
  };
}
