import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { pathProblem } from '../../net/connect-string.ts';
import { CODE } from './connection.ts';
import { ReadError, type Session } from './session.ts';

/** The data of a child, or `refused` if ZooKeeper's access control denies it. */
export type ChildData = Buffer | 'refused';

export interface WatchOptions<T> {
  readonly session: Pick<Session, 'getChildren' | 'getData' | 'exists'>;
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
  /** Where internal errors are reported; the path is then read again after `RETRY_MS`. */
  readonly errors: InternalErrors;
}

/** Follows the children of one path. */
export interface Watch {
  /** Reads now, or once more after the current read, whose result may be older than the reason for this call. */
  refresh(): void;
  stop(): void;
}

/** Delay in ms before a failed read is tried again, unless the connection was lost. */
const RETRY_MS = 1_000;
/** Number of children whose data is read at once. */
const BATCH = 64;

/**
 * Follows the children of one path. An event is only a hint to read again: events can be lost, doubled and out of
 * order across reconnects, while a read shows the true state. The watcher of the path is always the same function,
 * so the library holds it only once.
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
        // The path does not exist; the watch reports its creation. If it was created in between, read its children
        // now.
        if (!(await session.exists(path, refresh))) return [];
      }
    }
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
