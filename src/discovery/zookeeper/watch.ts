import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { pathProblem } from '../../net/connect-string.ts';
import { CODE } from './connection.ts';
import { ReadError, type Session } from './session.ts';

/** The data of a child, or that ZooKeeper's access control keeps it from us. */
export type ChildData = Buffer | 'refused';

export interface WatchOptions<T> {
  readonly session: Pick<Session, 'getChildren' | 'getData' | 'exists'>;
  readonly path: string;
  /** What is kept of a child; called as they come, so that not all of them are read in one turn of the event loop. */
  readonly parse: (data: ChildData) => T;
  /** All children; empty when the path does not exist. */
  readonly onRead: (children: ReadonlyMap<string, T>) => void;
  /** One sentence about what kept us from reading. */
  readonly onFault: (fault: string) => void;
  /** Where errors of our own are told; the path is then read again a little later. */
  readonly errors: InternalErrors;
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
export function createWatch<T>(options: WatchOptions<T>): Watch {
  const { session, path, parse, onRead, onFault, errors } = options;
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
    // No server that is one has such a child.
    if (name === '' || name.includes('/') || pathProblem(`/${name}`) !== null) return null;
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
    const children = new Map<string, T>();
    for (let i = 0; i < found.length; i += BATCH) {
      const batch = found.slice(i, i + BATCH);
      const data = await Promise.all(batch.map(dataOf));
      for (const [j, name] of batch.entries()) {
        const value = data[j];
        if (value != null) children.set(name, parse(value));
      }
    }
    if (!stopped) onRead(children);
  }

  function failed(error: unknown): void {
    // The next connection reads everything.
    if (stopped || codeOf(error) === 'not_connected') return;
    retry ??= setTimeout(refresh, RETRY_MS);
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
