import { isGzip, parseNode } from '../discovery/announcement.ts';
import {
  type Announcement,
  type LatchParticipant,
  MASTER_ROLES,
  type MasterRole,
} from '../discovery/discovery.ts';
import { LONGEST_DATA, parseLatch } from '../discovery/zookeeper/latch.ts';
import type { Session } from '../discovery/zookeeper/session.ts';
import type { ChildData } from '../discovery/zookeeper/watch.ts';
import type { TreeFacts } from './facts.ts';
import { findNearMisses } from './near-misses.ts';
import { mapSome } from './within.ts';
import type { ZooKeeperTarget } from './zookeeper-facts.ts';
import { ignore, unless } from './zookeeper-read.ts';

/** A node as it announces itself in one role. */
export interface AnnouncedNode extends Omit<Announcement, 'role'> {
  /** `NodeRole.getJsonName`. */
  readonly role: string;
}

export interface Tree {
  readonly facts: TreeFacts;
  readonly nodes: readonly AnnouncedNode[];
}

/** Folder to name in the JSON (`NodeRole`). Peons come and go with their tasks and are left out. */
const ROLES: Readonly<Record<string, string>> = {
  COORDINATOR: 'coordinator',
  OVERLORD: 'overlord',
  BROKER: 'broker',
  HISTORICAL: 'historical',
  MIDDLE_MANAGER: 'middleManager',
  INDEXER: 'indexer',
  ROUTER: 'router',
};
/** Announcements that are read of one role. */
const MOST_ENTRIES = 500;
const AT_ONCE = 16;
/** Permissions of ZooKeeper (`ZooDefs.Perms`): write, create and delete. */
const CHANGES = 2 | 4 | 8;

/** Collects what was met on the way. */
interface Notes {
  readonly folders: string[];
  readonly refused: string[];
  readonly unreadable: string[];
  readonly notAllowed: string[];
  gzip: number;
  plain: number;
  newestMs: number;
}

/**
 * Reads what Druid keeps in ZooKeeper, once and without changing anything. Rejects with `ReadError` if the connection
 * is lost.
 */
export async function readTree(session: Session, target: ZooKeeperTarget, now: number): Promise<Tree> {
  const base = baseOf(target);
  const coordinator = `${target.chroot ?? ''}${target.coordinatorPath}`;
  const notes = noNotes();
  const nodes: AnnouncedNode[] = [];
  for (const [folder, role] of Object.entries(ROLES)) {
    const path = `${base}/internal-discovery/${folder}`;
    const entries = await readFolder(session, path, notes, (name, data) =>
      admit(`${path}/${name}`, role, data, target, notes),
    );
    if (entries === null) continue;
    notes.folders.push(folder);
    nodes.push(...[...entries.values()].filter((node) => node !== null));
  }
  const latches: Record<MasterRole, readonly LatchParticipant[] | null> = {
    coordinator: null,
    overlord: null,
  };
  for (const role of MASTER_ROLES) latches[role] = await latchOf(session, target, role, notes);
  const baseExists = (await timeOf(session, base === '' ? '/' : base)) !== null;
  const found = nodes.length > 0 || MASTER_ROLES.some((role) => (latches[role] ?? []).length > 0);
  const coordinators = nodes.some(({ role }) => role === 'coordinator');
  const looksFor = !found || (coordinators && latches.coordinator === null);
  const { newestMs, ...noted } = notes;
  return {
    nodes,
    facts: {
      basePath: base === '' ? '/' : base,
      baseExists,
      latches,
      ...noted,
      nearMisses: looksFor ? await findNearMisses(session, { base, coordinator }) : [],
      aheadMs: Math.max(0, newestMs - now),
      open: await isOpen(session, base === '' ? '/' : base),
    },
  };
}

function admit(
  path: string,
  role: string,
  data: ChildData,
  { refusal }: ZooKeeperTarget,
  notes: Notes,
): AnnouncedNode | null {
  if (data === 'refused') {
    notes.refused.push(path);
    return null;
  }
  if (isGzip(data)) notes.gzip++;
  else notes.plain++;
  const parsed = parseNode(role, data);
  if (parsed.kind === 'fault') notes.unreadable.push(`${path} ${parsed.reason}`);
  if (parsed.kind !== 'node') return null;
  const why = refusal(parsed.node.origin);
  if (why !== null) notes.notAllowed.push(`${parsed.node.hostAndPort} ${why}`);
  return why === null ? { role, ...parsed.node } : null;
}

async function latchOf(
  session: Session,
  target: ZooKeeperTarget,
  role: MasterRole,
  notes: Notes,
): Promise<readonly LatchParticipant[] | null> {
  const children = await readFolder(session, latchPath(target, role), notes, (_, data) => shortened(data));
  return children === null ? null : parseLatch(children, target.refusal).participants;
}

/** Drops what is too long to be a latch's, so that the packet that holds it can be freed. */
function shortened(data: ChildData): ChildData {
  return data === 'refused' ? data : Buffer.from(data.subarray(0, LONGEST_DATA + 1));
}

/** Reads a latch once more. Rejects with `ReadError`. */
export function readLatch(
  session: Session,
  target: ZooKeeperTarget,
  role: MasterRole,
): Promise<readonly LatchParticipant[] | null> {
  return latchOf(session, target, role, noNotes());
}

/** The base path from the root of ZooKeeper, without a final slash. */
function baseOf({ chroot, basePath }: ZooKeeperTarget): string {
  return `${chroot ?? ''}${basePath === '/' ? '' : basePath}`;
}

function latchPath(target: ZooKeeperTarget, role: MasterRole): string {
  return role === 'coordinator'
    ? `${target.chroot ?? ''}${target.coordinatorPath}/_COORDINATOR`
    : `${baseOf(target)}/overlord/_OVERLORD`;
}

function noNotes(): Notes {
  return { folders: [], refused: [], unreadable: [], notAllowed: [], gzip: 0, plain: 0, newestMs: 0 };
}

/**
 * Reads the children of a path, and keeps of the data of each what `keep` returns, so that not all of it is held at
 * once. Null where the path does not exist or may not be read.
 */
async function readFolder<T>(
  session: Session,
  path: string,
  notes: Notes,
  keep: (name: string, data: ChildData) => T,
): Promise<ReadonlyMap<string, T> | null> {
  const names = await unless(session.getChildren(path, ignore));
  if (names === 'refused') notes.refused.push(path);
  if (names === 'absent' || names === 'refused') return null;
  const some = names.filter((name) => name !== '' && !name.includes('/')).slice(0, MOST_ENTRIES);
  const children = new Map<string, T>();
  await mapSome(some, AT_ONCE, async (name) => {
    const data = await unless(session.getData(`${path}/${name}`));
    if (data !== 'absent') children.set(name, keep(name, data));
  });
  const [first] = some;
  if (first !== undefined) {
    notes.newestMs = Math.max(notes.newestMs, (await timeOf(session, `${path}/${first}`)) ?? 0);
  }
  return children;
}

async function timeOf(session: Session, path: string): Promise<number | null> {
  const time = await unless(session.createdAt(path));
  return typeof time === 'number' ? time : null;
}

async function isOpen(session: Session, path: string): Promise<boolean | null> {
  const list = await unless(session.getAcl(path));
  if (list === 'absent' || list === 'refused') return null;
  return list.some(({ permissions, scheme }) => scheme === 'world' && (permissions & CHANGES) !== 0);
}
