import { CODE } from './connection.ts';
import { ReadError, type Session } from './session.ts';

/** The data of a child, or that ZooKeeper's access control keeps it from us. */
export type ChildData = Buffer | 'refused';

export interface WatchOptions {
  readonly session: Session;
  readonly path: string;
  /** All children with their data; empty when the path does not exist. */
  readonly onRead: (children: ReadonlyMap<string, ChildData>) => void;
  /** One sentence about what kept us from reading. */
  readonly onFault: (fault: string) => void;
}

/** Follows the children of one path. */
export interface Watch {
  /** Reads now, or once more after the read under way: what that one sees may be older than what prompted this. */
  refresh(): void;
  stop(): void;
}

/** A read that failed for a reason that is no loss of connection is tried again this much later. */
const RETRY_MS = 1_000;
/** Children whose data is asked for at once. */
const BATCH = 64;

/**
 * Every event is a hint to read anew: events can be lost, doubled and out of order over reconnects, a read is the
 * truth of its moment. One function is the watcher of a path for ever, so that the library holds it once.
 */
export function createWatch({ session, path, onRead, onFault }: WatchOptions): Watch {
  let reading = false;
  let again = false;
  let stopped = false;
  let retry: NodeJS.Timeout | null = null;

  async function names(): Promise<string[]> {
    for (;;) {
      try {
        return await session.getChildren(path, refresh);
      } catch (error) {
        if (codeOf(error) !== CODE.NO_NODE) throw error;
        // Not there: told when it comes. If it came in between, its children are to be had now.
        if (!(await session.exists(path, refresh))) return [];
      }
    }
  }

  async function dataOf(name: string): Promise<ChildData | null> {
    try {
      return await session.getData(`${path}/${name}`);
    } catch (error) {
      // Gone since the list was read, which is an event of its own.
      if (codeOf(error) === CODE.NO_NODE) return null;
      if (codeOf(error) === CODE.NO_AUTH) return 'refused';
      throw error;
    }
  }

  async function read(): Promise<void> {
    const found = await names();
    const children = new Map<string, ChildData>();
    for (let i = 0; i < found.length; i += BATCH) {
      const batch = found.slice(i, i + BATCH);
      const data = await Promise.all(batch.map(dataOf));
      for (const [j, name] of batch.entries()) {
        const value = data[j];
        if (value != null) children.set(name, value);
      }
    }
    if (!stopped) onRead(children);
  }

  function failed(error: unknown): void {
    // The next connection reads everything.
    if (stopped || codeOf(error) === 'not_connected') return;
    const why = codeOf(error) === CODE.NO_AUTH ? 'access is refused' : messageOf(error);
    onFault(`${path} cannot be read: ${why}`);
    retry ??= setTimeout(refresh, RETRY_MS);
  }

  function refresh(): void {
    if (stopped) return;
    if (reading) {
      again = true;
      return;
    }
    if (retry !== null) clearTimeout(retry);
    retry = null;
    reading = true;
    again = false;
    void read()
      .catch(failed)
      .then(() => {
        reading = false;
        if (again) refresh();
      });
  }

  return {
    refresh,
    stop() {
      stopped = true;
      if (retry !== null) clearTimeout(retry);
    },
  };
}

function codeOf(error: unknown): ReadError['code'] | null {
  return error instanceof ReadError ? error.code : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
