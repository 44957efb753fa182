import type { Member } from './facts.ts';

/** An ensemble has a handful of members; more lines than this are no configuration. */
const MOST_MEMBERS = 100;
const LINE = /^server\.(\d{1,10})=([^;]{1,600})(?:;(.{1,300}))?$/;

/**
 * Parses the dynamic configuration that `/zookeeper/config` holds: `server.1=HOST:PORT:PORT:participant;HOST:PORT`
 * (`QuorumMaps`). A server that stands alone has none: the list is empty. A member's role is `participant` unless the
 * line says `observer`.
 */
export function parseMembers(text: string): Member[] {
  return text
    .split('\n')
    .map((line) => LINE.exec(line.trim()))
    .filter((match) => match !== null)
    .slice(0, MOST_MEMBERS)
    .map(([, id = '', quorum = '', client]) => ({
      id: Number(id),
      voter: !quorum.endsWith(':observer'),
      client: clientOf(client, quorum),
    }));
}

/** A client address may be a port alone, or of all interfaces; the host is then the one of the quorum. */
function clientOf(client: string | undefined, quorum: string): string | null {
  if (client === undefined) return null;
  const host = /^(\[[^\]]*\]|[^:]*):/.exec(quorum)?.[1] ?? '';
  const port = /(?:^|:)(\d{1,5})$/.exec(client)?.[1];
  if (port === undefined) return null;
  const named = client.slice(0, -port.length - 1);
  const anywhere = named === '' || named === '0.0.0.0' || /^\[[0:]+\]$/.test(named);
  return `${anywhere ? host : named}:${port}`;
}
