import { fail, info, type Judgement, pass, skip, warn } from '../check.ts';
import { listed } from '../printable.ts';
import { worst } from '../worst.ts';
import type { AskedServer } from './asked-servers.ts';
import type { Group, Replica } from './store-facts.ts';

/** Further behind, in ms, a replica would lose much at a fail-over, or take long to become the primary. */
const FAR_BEHIND_MS = 30_000;
/** Members with which a group bears the loss of one. */
const BEARS_A_LOSS = 3;
const HIDDEN =
  'who follows is hidden from this user: GRANT pg_monitor (PostgreSQL), REPLICATION CLIENT and PROCESS (MySQL), REPLICA MONITOR and PROCESS (MariaDB)';

/** One server takes writes; in a group that agrees on writes, several may. */
export function judgePrimary(servers: readonly AskedServer[]): Judgement {
  const writers = servers.filter(({ state }) => state.takesWrites);
  const names = listed(writers.map(({ name }) => name));
  if (writers.length === 0) {
    return fail(`${listed(servers.map(({ name }) => name))}: none of them takes writes`);
  }
  const strangers = new Set(servers.map(({ state }) => state.identity));
  if (strangers.size > 1 && !strangers.has(null)) {
    return fail(
      `${listed(servers.map(({ name }) => name))} are servers of different stores: their identifiers differ`,
    );
  }
  if (writers.length === 1) return pass(`${names} takes writes, of ${servers.length} that answer`);
  if (writers.every(({ state }) => state.group?.multiPrimary === true)) {
    return pass(`${names} take writes, in one group`);
  }
  const followers = writers.filter(({ state }) => state.upstream !== null);
  if (followers.length === 0) return fail(`${names} take writes, each by itself`);
  return warn(
    listed(
      followers.map(
        ({ name, state }) => `${name} follows ${state.upstream?.from ?? 'another'} and takes writes, too`,
      ),
    ),
  );
}

/** By the word of the primary, and of the replicas that were asked. */
export function judgeReplicas(servers: readonly AskedServer[]): Judgement {
  const groups = servers.flatMap(({ name, state }) =>
    state.group === null ? [] : [judgeGroup(name, state.group)],
  );
  if (groups.length > 0) return worst(groups);
  const managed = servers.find(({ state }) => state.managed !== null)?.state.managed;
  const judged = worst([...ofPrimaries(servers), ...ofFollowers(servers)]);
  // A service replicates its disks, of which its databases know nothing.
  return managed === undefined || managed === null || judged.result === 'PASS'
    ? judged
    : info(`${managed} has its own replication, which cannot be seen from here. ${judged.evidence}`);
}

function judgeGroup(name: string, { kind, quorum, size, unwell }: Group): Judgement {
  const said = `${name}: ${kind} of ${size}`;
  if (!quorum) return fail(`${said}, without a majority`);
  if (unwell.length > 0) return warn(`${said}; ${listed(unwell)}`);
  if (size === 1) return fail(`${said}: nobody has a copy`);
  return size < BEARS_A_LOSS ? warn(`${said}: the loss of one ends the majority`) : pass(said);
}

function ofPrimaries(servers: readonly AskedServer[]): Judgement[] {
  const followed = servers.filter(({ state }) => state.upstream !== null);
  return servers
    .filter(({ state }) => state.takesWrites && state.upstream === null)
    .map(({ name, state: { replicas } }) => {
      if (replicas === null)
        return followed.some(isReceiving) ? pass(`${name} is followed`) : info(`${name}: ${HIDDEN}`);
      if (replicas.length === 0) return fail(`nobody follows ${name}`);
      if (replicas.every(({ state }) => state === null)) {
        return followed.some(isReceiving)
          ? pass(`${replicas.length} follow ${name}`)
          : info(`${replicas.length} are connected to ${name}; ${HIDDEN}`);
      }
      const slow = replicas.filter(({ state }) => state !== 'streaming');
      const said = listed(replicas.map(replicaText));
      return slow.length > 0 ? warn(said) : pass(said);
    });
}

function isReceiving({ state }: AskedServer): boolean {
  return state.upstream?.running === true;
}

function replicaText({ name, state, synchronous }: Replica): string {
  return `${name}: ${state ?? 'hidden'}${synchronous ? ', synchronous' : ''}`;
}

function ofFollowers(servers: readonly AskedServer[]): Judgement[] {
  const wellFollowed = servers.some(({ state }) =>
    state.replicas?.some((replica) => replica.state === 'streaming'),
  );
  return servers.flatMap(({ name, state: { upstream, upstreamHidden, takesWrites } }) => {
    if (upstream === null) {
      if (upstreamHidden && !takesWrites) return [info(`${name}: whom it follows is hidden from this user`)];
      return takesWrites ? [] : [warn(`${name} takes no writes and follows nobody`)];
    }
    const { from, running, detail } = upstream;
    const whom = from ?? 'a primary';
    const more = detail === '' ? '' : `; ${detail}`;
    if (running === false)
      return [(wellFollowed ? warn : fail)(`${name} does not receive from ${whom}${more}`)];
    if (detail !== '') return [warn(`${name}${more}`)];
    return running === null ? [] : [pass(`${name} follows ${whom}`)];
  });
}

/** The largest lag that anybody tells. */
export function judgeLag(servers: readonly AskedServer[]): Judgement {
  const lags = servers.flatMap(({ name, state: { replicas, upstream } }) => [
    ...(replicas ?? []).map((replica) => ({ name: replica.name, ms: replica.lagMs })),
    ...(upstream === null ? [] : [{ name, ms: upstream.lagMs }]),
  ]);
  const known = lags.filter((lag): lag is { name: string; ms: number } => lag.ms !== null);
  const far = known.filter(({ ms }) => ms > FAR_BEHIND_MS);
  if (far.length > 0)
    return warn(listed(far.map(({ name, ms }) => `${name} is ${Math.round(ms / 1_000)} s behind`)));
  if (known.length > 0)
    return pass(`${(Math.max(...known.map(({ ms }) => ms)) / 1_000).toFixed(1)} s at most`);
  // PostgreSQL measures only while there is something to replay.
  const streaming = servers.some(({ state }) =>
    state.replicas?.some((replica) => replica.state === 'streaming'),
  );
  return streaming ? pass('nothing that replicas lack') : skip('no replica told how far it is');
}

/** How the primary acknowledges. */
export function judgeCommit(servers: readonly AskedServer[]): Judgement {
  const primaries = servers.filter(({ state }) => state.takesWrites);
  if (primaries.length === 0) return skip('no server that takes writes could be asked');
  return worst(primaries.map(judgePrimaryCommit));
}

function judgePrimaryCommit({ name, state: { group, commit, replicas, managed } }: AskedServer): Judgement {
  if (group !== null)
    return pass(`${name}: ${group.kind} has a majority receive a write before it is acknowledged`);
  if (commit.kind === 'unknown') return skip(`${name} did not tell`);
  const loses = 'what was acknowledged last is lost at a fail-over';
  const asynchronous = info(
    managed === null
      ? `${name} acknowledges before a replica has it: ${loses}`
      : `${name} does not show a synchronous replica; ${managed} may copy its disks`,
  );
  if (commit.kind === 'semi-synchronous') {
    if (!commit.on) return asynchronous;
    return commit.clients > 0
      ? pass(`${name}: semi-synchronous, acknowledged by ${commit.clients}`)
      : warn(`${name}: semi-synchronous, but no replica acknowledges, so ${loses}`);
  }
  if (commit.names === '' || commit.level === 'off' || commit.level === 'local') return asynchronous;
  if (replicas === null || replicas.some(({ state }) => state === null)) {
    return info(`${name} waits for ${commit.names}; ${HIDDEN}`);
  }
  const needed = waitsFor(commit.names);
  const there = replicas.filter(({ state, synchronous }) => synchronous && state === 'streaming');
  const said = `${name} waits for ${needed} of ${commit.names}`;
  return there.length < needed
    ? fail(`${said}, of which ${there.length} follow: writes hang`)
    : pass(`${said}; ${listed(there.map(replicaText))}`);
}

/** `ANY 2 (a, b, c)`, `FIRST 1 (a, b)`, `2 (a, b)`; a list without a number waits for one. */
function waitsFor(names: string): number {
  return Number(/^\s*(?:(?:any|first)\s+)?(\d+)\s*\(/i.exec(names)?.[1] ?? 1);
}
