import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { pathProblem } from '../../net/connect-string.ts';
import { CODE } from './connection.ts';
import { type Listing, ReadError, type Session } from './session.ts';

/** The data of a child, or `refused` if ZooKeeper's access control denies it. */
export type ChildData = Buffer | 'refused';

export interface WatchOptions<T> {
  readonly session: Pick<Session, 'listChildren' | 'childrenVersion' | 'getData' | 'exists'>;
  readonly path: string;
  /**
   * Returns what to keep of a child. Called while children arrive, so not all are parsed in one turn of the event
   * loop.
   */
  readonly parse: (data: ChildData) => T;
  /** Called with all children; with none if the path does not exist. */
  readonly onRead: (children: ReadonlyMap<string, T>) => void;
  /** Called with one sentence about why the path could not be read. */
  readonly onFault: (fault: string) => void;
  /** Milliseconds from an event to the read, for a path that had so many children (`pause`). */
  readonly pauseMs: (children: number) => number;
  /** Where internal errors are reported; the path is then read again after `RETRY_MS`. */
  readonly errors: InternalErrors;
}

/** Follows the children of one path. */
export interface Watch {
  /** Reads now, or once more after the current read, whose result may be older than the reason for this call. */
  refresh(): void;
  /** The same for no reason but time: reads also the data of some children again. */
  poll(): void;
  stop(): void;
}

/** Delay in ms before a failed read is tried again, unless the connection was lost. */
const RETRY_MS = 1_000;
/** Number of children whose data is read at once. */
const BATCH = 64;
/** With more children than this a poll reads their data by turns, and reads after events are spread. */
const FEW = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Milliseconds from an event to the read. Each read brings all names, so with thousands of children and gateways those
 * that come and go at the same time are read together, and gateways do not read in step. Leader latches have few
 * children and are read at once.
 */
export function pause(children: number, random: () => number): number {
  return children <= FEW ? 0 : random() * Math.min(children, LONGEST_PAUSE_MS);
}

/**
 * Whether what is known of the children of `before` holds for those of `after` that were there then. A child that was
 * deleted and created again in between is in both lists, but counts as two changes.
 */
export function isContinuous(before: Listing, after: Listing): boolean {
  if (before.version.created !== after.version.created) return false;
  const names = new Set(before.names);
  let added = 0;
  for (const name of after.names) if (!names.delete(name)) added++;
  return ((after.version.changes - before.version.changes) | 0) === added + names.size;
}

/**
 * Follows the children of one path. An event is only a hint to read again: events can be lost, doubled and out of
 * order across reconnects, while a read shows the true state. The watcher of the path is always the same function,
 * so the library holds it only once.
 *
 * A child's data does not change as long as the child is there: Curator writes it when it creates the node, for latches as
 * for announcements (`LeaderLatch.reset`, `Announcer.createAnnouncement`). So the data of a child is read once, and again
 * by polls, in case somebody else has changed it.
 */
export function createWatch<T>(options: WatchOptions<T>): Watch {
  const { session, path, parse, onRead, onFault, pauseMs, errors } = options;
  let reading = false;
  /** What is asked for while a read is under way. */
  let next: 'nothing' | 'after a pause' | 'now' = 'nothing';
  let polling = false;
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;
  let listed: Listing = NOWHERE;
  /** What is kept of children whose data was there, the one that was read longest ago first. */
  const known = new Map<string, T>();

  async function list(): Promise<Listing> {
    for (;;) {
      try {
        return await session.listChildren(path, onEvent);
      } catch (error) {
        if (codeOf(error) !== CODE.NO_NODE) throw error;
        // The path does not exist; the watch reports its creation. If it was created in between, read its children
        // now.
        if (!(await session.exists(path, onEvent))) return NOWHERE;
      }
    }
  }

  /** Whether the list is as it was read last. Costs less than a long list. */
  async function isUnchanged(): Promise<boolean> {
    const version = await session.childrenVersion(path);
    const { created, changes } = listed.version;
    return version !== null && version.created === created && version.changes === changes;
  }

  async function dataOf(name: string): Promise<ChildData | null> {
    // A correct server has no such child.
    if (name === '' || name.includes('/') || pathProblem(`/${name}`) !== null) return null;
    try {
      return await session.getData(`${path}/${name}`);
    } catch (error) {
      // Deleted since the list was read; the watch reports that too.
      if (codeOf(error) === CODE.NO_NODE) return null;
      if (codeOf(error) === CODE.NO_AUTH) return 'refused';
      throw error;
    }
  }

  /** Forgets what must be read again: of children that are gone, or may be others now. */
  function forget(found: Listing): void {
    if (!isContinuous(listed, found)) known.clear();
    const names = new Set(found.names);
    for (const name of known.keys()) if (!names.has(name)) known.delete(name);
    listed = found;
  }

  async function read(isPoll: boolean): Promise<void> {
    if (!(isPoll && listed.names.length > FEW && (await isUnchanged()))) forget(await list());
    if (isPoll) for (const name of [...known.keys()].slice(0, FEW)) known.delete(name);
    const children = new Map<string, T>();
    const missing = listed.names.filter((name) => !known.has(name));
    for (let i = 0; i < missing.length; i += BATCH) {
      const batch = missing.slice(i, i + BATCH);
      const data = await Promise.all(batch.map(dataOf));
      for (const [j, name] of batch.entries()) {
        const child = data[j];
        if (child == null) continue;
        const value = parse(child);
        // Neither is to stay: access may be granted, and a node may be written after it was created.
        if (child === 'refused' || child.length === 0) children.set(name, value);
        else known.set(name, value);
      }
    }
    for (const [name, value] of known) children.set(name, value);
    if (!stopped) onRead(children);
  }

  function failed(error: unknown): void {
    // The next connection reads everything.
    if (stopped || codeOf(error) === 'not_connected') return;
    readIn(RETRY_MS);
    if (!(error instanceof ReadError)) {
      errors.report('discovery', error);
      return;
    }
    const why = codeOf(error) === CODE.NO_AUTH ? 'access is refused' : error.message;
    contain(
      () => onFault(`${path} cannot be read: ${why}`),
      (thrown) => errors.report('discovery', thrown),
    );
  }

  function readIn(ms: number): void {
    timer ??= setTimeout(refresh, ms);
  }

  function onEvent(): void {
    if (stopped) return;
    if (reading) {
      if (next === 'nothing') next = 'after a pause';
      return;
    }
    const ms = pauseMs(listed.names.length);
    if (ms > 0) readIn(ms);
    else refresh();
  }

  function refresh(): void {
    if (stopped) return;
    if (reading) {
      next = 'now';
      return;
    }
    if (timer !== null) clearTimeout(timer);
    timer = null;
    reading = true;
    next = 'nothing';
    const isPoll = polling;
    polling = false;
    void read(isPoll)
      .catch(failed)
      .then(() => {
        reading = false;
        if (next === 'now') refresh();
        else if (next === 'after a pause') onEvent();
      });
  }

  return {
    refresh,
    poll() {
      polling = true;
      refresh();
    },
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** The children of a path that does not exist. */
const NOWHERE: Listing = { names: [], version: { created: '', changes: 0 } };

function codeOf(error: unknown): ReadError['code'] | null {
  return error instanceof ReadError ? error.code : null;
}
