import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from '../../tools/druid-cluster/dataset.ts';
import { waitFor } from '../../tools/druid-cluster/wait.ts';
import type { Books, Entry, Found } from './ledger.ts';
import { LOADED, ROWS_OF_TASK } from './load.ts';

/** Of the Overlord's list of tasks, what matters here. */
export interface ListedTask {
  readonly id: string;
  readonly groupId?: string;
  /** `SUCCESS`, `FAILED`, `RUNNING`; `status` is its name in newer versions. */
  readonly statusCode?: string;
  readonly status?: string;
}

/** What was read of Druid's own books. */
export interface Pages {
  readonly tasks: readonly ListedTask[];
  /** Comments of all changes to the Coordinator's dynamic configuration. */
  readonly comments: readonly string[];
  /** Rows by key. */
  readonly rows: ReadonlyMap<string, number>;
}

/** How often each write was carried out. `ids` are those that the Overlord gave to acknowledged tasks, by key. */
export function compileBooks(
  entries: readonly Entry[],
  ids: ReadonlyMap<string, string>,
  pages: Pages,
): Books {
  // A task that ends while the list is made may stand in it twice: as running and as complete.
  const byId = new Map(pages.tasks.map((task) => [task.id, task]));
  const byGroup = new Map<string, ListedTask[]>();
  for (const task of byId.values()) {
    const group = task.groupId ?? '';
    byGroup.set(group, [...(byGroup.get(group) ?? []), task]);
  }
  const comments = new Map<string, number>();
  for (const comment of pages.comments) comments.set(comment, (comments.get(comment) ?? 0) + 1);
  const books = new Map<string, Found>();
  for (const { kind, key } of entries) {
    if (key === undefined) continue;
    if (kind === 'setting') books.set(key, { times: comments.get(key) ?? 0 });
    if (kind === 'task') {
      const made = byGroup.get(key) ?? [];
      books.set(key, { times: made.length, failed: made.some(hasFailed) });
    }
    if (kind === 'rows') {
      const task = byId.get(ids.get(key) ?? '');
      const times = (pages.rows.get(key) ?? 0) / ROWS_OF_TASK;
      books.set(key, { times, failed: task !== undefined && hasFailed(task) });
    }
  }
  return books;
}

/** Also what has still not ended when the books are read: its client is told so, too. */
function hasFailed(task: ListedTask): boolean {
  return stateOf(task) !== 'SUCCESS';
}

function stateOf({ status, statusCode }: ListedTask): string | undefined {
  return status ?? statusCode;
}

const TASKS_MS = 180_000;
const ROWS_MS = 60_000;
const ROWS_EVERY_MS = 100;
/** Queries go to all Brokers in turn, and each learns of new segments by itself. */
const SAME_ANSWERS = 9;

export interface BooksOptions {
  /** How long, in milliseconds, tasks may run before they count as failed; three minutes by default. */
  readonly tasksMs?: number;
  /** How long, in milliseconds, acknowledged rows are waited for before they count as lost; a minute by default. */
  readonly rowsMs?: number;
  /** Milliseconds between two counts of all rows. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Waits until no task runs any more and all rows that must be there are, but not for ever, and reads the books. Rejects
 * when they cannot be read.
 */
export async function readBooks(
  url: string,
  entries: readonly Entry[],
  ids: ReadonlyMap<string, string>,
  options: BooksOptions = {},
): Promise<Books> {
  const { signal } = options;
  const stoppable = signal === undefined ? {} : { signal };
  let tasks: readonly ListedTask[] = [];
  let hadEnded = false;
  // The list has what is complete first and what runs then (druid_tasks, not in one snapshot): a task that ends in
  // between is in neither, but by the next list it has ended.
  const haveEnded = async (): Promise<boolean> => {
    const before = hadEnded;
    tasks = await readTasks(url);
    hadEnded = tasks.every((task) => stateOf(task) !== 'RUNNING');
    return before && hadEnded;
  };
  const limits = { timeoutMs: options.tasksMs ?? TASKS_MS, ...stoppable };
  await waitFor('the end of all tasks', haveEnded, limits).catch((error: unknown) => {
    // What never ends is counted, and the rest can be read; without any list nothing can be said.
    if (signal?.aborted || tasks.length === 0) throw error;
  });
  const history = (await read(`${url}/druid/coordinator/v1/config/history?count=1000000`)) as {
    readonly auditInfo: { readonly comment: string };
  }[];
  const comments = history.map(({ auditInfo }) => auditInfo.comment);
  const isComplete = (rows: ReadonlyMap<string, number>): boolean => {
    const books = compileBooks(entries, ids, { tasks, comments, rows });
    return entries.every(({ kind, key = '', outcome }) => {
      const { times, failed = false } = books.get(key) ?? { times: 0 };
      return kind !== 'rows' || outcome !== 'ok' || failed || times >= 1;
    });
  };
  const rows = await settledRows(url, isComplete, options);
  return compileBooks(entries, ids, { tasks, comments, rows });
}

async function readTasks(url: string): Promise<readonly ListedTask[]> {
  return (await read(`${url}/druid/indexer/v1/tasks`)) as ListedTask[];
}

/** Rows by key, once so many answers in a row are the same and complete; the last answer when that takes too long. */
async function settledRows(
  url: string,
  isComplete: (rows: ReadonlyMap<string, number>) => boolean,
  { rowsMs = ROWS_MS, everyMs = ROWS_EVERY_MS, signal }: BooksOptions,
): Promise<ReadonlyMap<string, number>> {
  const deadline = performance.now() + rowsMs;
  const query = `SELECT k, COUNT(*) AS n FROM ${LOADED} GROUP BY k ORDER BY k`;
  let before = '';
  let same = 0;
  for (;;) {
    const list = (await sql(url, query)) as { k: string; n: number }[];
    const rows = new Map(list.map(({ k, n }) => [k, n]));
    const now = JSON.stringify(list);
    same = now === before && isComplete(rows) ? same + 1 : 0;
    before = now;
    if (same === SAME_ANSWERS || performance.now() > deadline) return rows;
    await sleep(everyMs, undefined, signal === undefined ? {} : { signal });
  }
}

async function read(url: string): Promise<unknown> {
  const answer = await fetch(url);
  if (answer.status !== 200) throw new Error(`${url} was answered with ${answer.status}`);
  return answer.json();
}
