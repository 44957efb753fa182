import { numberOf, type Row, textOf } from './rows.ts';
import type { Group } from './store-facts.ts';

/**
 * Describes the group that a server is in, by the status variables of Galera and the members that Group Replication
 * lists (`performance_schema.replication_group_members`). Null where it is in none.
 */
export function groupOf(status: Row, members: readonly Row[]): Group | null {
  const size = numberOf(status, 'wsrep_cluster_size') ?? 0;
  if (size > 0) {
    const state = textOf(status, 'wsrep_local_state_comment');
    return {
      kind: 'Galera',
      quorum: textOf(status, 'wsrep_cluster_status') === 'Primary' && textOf(status, 'wsrep_ready') === 'ON',
      multiPrimary: true,
      size,
      unwell: state === 'Synced' ? [] : [`this server: ${state}`],
    };
  }
  // A server that has left, or never was in a group, lists itself alone as OFFLINE, or nobody.
  const inGroup = members.filter(
    (row) => !(members.length === 1 && textOf(row, 'MEMBER_STATE') === 'OFFLINE'),
  );
  if (inGroup.length === 0) return null;
  const online = inGroup.filter((row) => textOf(row, 'MEMBER_STATE') === 'ONLINE');
  return {
    kind: 'Group Replication',
    quorum: online.length * 2 > inGroup.length,
    multiPrimary: inGroup.filter((row) => textOf(row, 'MEMBER_ROLE') === 'PRIMARY').length > 1,
    size: inGroup.length,
    unwell: inGroup
      .filter((row) => !online.includes(row))
      .map(
        (row) =>
          `${textOf(row, 'MEMBER_HOST')}:${textOf(row, 'MEMBER_PORT')}: ${textOf(row, 'MEMBER_STATE')}`,
      ),
  };
}
