/** What clients ask for, each with a pace of its own. */
export const KINDS = ['coordinatorRead', 'overlordRead', 'query', 'setting', 'task', 'rows'] as const;

/**
 * A read of the Coordinator or the Overlord, an SQL query, a write to the Coordinator (its dynamic configuration), a
 * task that does nothing, or a task that loads rows.
 */
export type Kind = (typeof KINDS)[number];

const WRITES: ReadonlySet<Kind> = new Set<Kind>(['setting', 'task', 'rows']);

/**
 * `ok`: answered, and a write is acknowledged by that. `wrong`: answered with 200 and something else than the truth.
 * `refused`: an error. To a write it says that nothing was done; where the client cannot know, it is `unknown`.
 */
export type Outcome = 'ok' | 'wrong' | 'refused' | 'unknown';

/** One request and what its client saw; times in milliseconds of one clock. */
export interface Entry {
  readonly kind: Kind;
  readonly sent: number;
  readonly ended: number;
  readonly outcome: Outcome;
  /** What a write is found by: no two have the same. */
  readonly key?: string;
  /** Of an answer that was not `ok`: its status and reason, or the error of the connection. */
  readonly detail?: string;
}

/** What Druid's own books say of a write after everything. */
export interface Found {
  /** How often it was carried out: tasks that were made of it, its rows divided by those that were sent. */
  readonly times: number;
  /** Of a task: it was accepted, and has failed or never ended. */
  readonly failed?: boolean;
}

export type Books = ReadonlyMap<string, Found>;

/** A stretch of time in which one thing was broken and mended, or nothing was broken yet. */
export interface Window {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

/** What became of the requests that ended within a window: what hurts a request is broken when it ends. */
export interface Row {
  readonly what: string;
  readonly seconds: number;
  /** The longest time in the window without a success, in milliseconds. */
  readonly gaps: Readonly<Record<Column, number>>;
  /** The slowest success, in milliseconds. */
  readonly slowest: number;
  readonly requests: number;
  /** Reads and queries that had no answer or an error. */
  readonly failed: number;
  /** Writes whose client was told that nothing was done. */
  readonly refused: number;
  /** Writes whose client does not know whether they were carried out, and how many of them were; null if nobody looked. */
  readonly unknown: number;
  readonly unknownDone: number | null;
  /** Tasks that were accepted and failed or never ended, of which the client is told. */
  readonly tasksFailed: number | null;
  /** Answers with 200 that were not the truth. */
  readonly wrong: number;
  /** Acknowledged writes of which there is nothing. */
  readonly lost: number | null;
  /** Writes that were carried out more than once, or though they were refused. */
  readonly doubled: number | null;
  /** Everything that went wrong, in words, with how often. */
  readonly details: ReadonlyMap<string, number>;
}

/** The columns of gaps. Both kinds of tasks go the same way. */
const COLUMNS = ['coordinatorRead', 'setting', 'overlordRead', 'task', 'query'] as const;
export type Column = (typeof COLUMNS)[number];

const columnOf = (kind: Kind): Column => (kind === 'rows' ? 'task' : kind);

export function isWrite(kind: Kind): boolean {
  return WRITES.has(kind);
}

/**
 * Judges all requests by the books, which are null where nobody looked: one row for each window, in order of time. Each
 * request is in one of them: what ended between or after windows is in the one before, what ended first in the first.
 */
export function judge(entries: readonly Entry[], windows: readonly Window[], books: Books | null): Row[] {
  const successes = successTimes(entries);
  const ended = new Map<Window, Entry[]>(windows.map((window) => [window, []]));
  for (const entry of entries) {
    const window = windows.findLast(({ from }) => entry.ended >= from) ?? windows[0];
    if (window !== undefined) ended.get(window)?.push(entry);
  }
  return windows.map((window) => {
    const within = ended.get(window) ?? [];
    const details = new Map<string, number>();
    const note = (text: string): void => void details.set(text, (details.get(text) ?? 0) + 1);
    const counts = { failed: 0, refused: 0, unknown: 0, unknownDone: 0, tasksFailed: 0 };
    const lies = { wrong: 0, lost: 0, doubled: 0 };
    let slowest = 0;
    for (const entry of within) {
      const { kind, outcome, detail = '', key = '' } = entry;
      if (outcome === 'ok') slowest = Math.max(slowest, entry.ended - entry.sent);
      if (outcome === 'refused') counts[isWrite(kind) ? 'refused' : 'failed']++;
      if (outcome === 'wrong') lies.wrong++;
      if (outcome === 'unknown') counts.unknown++;
      if (outcome !== 'ok') note(`${kind} ${outcome}: ${detail}`);
      if (books === null || !isWrite(kind)) continue;
      const { times, failed = false } = books.get(key) ?? { times: 0 };
      if (outcome === 'unknown' && times > 0) counts.unknownDone++;
      if (failed) counts.tasksFailed++;
      if (failed) note(`${kind} ${key} was accepted, and its task failed or has not ended`);
      // A task that failed was known, and its client is told.
      if (outcome === 'ok' && times < 1 && !failed) {
        lies.lost++;
        note(`${kind} ${key} was acknowledged and is lost (${times} times there)`);
      }
      if (times > 1 || (outcome === 'refused' && times > 0)) {
        lies.doubled++;
        note(`${kind} ${key} was ${outcome}, and carried out ${times} times`);
      }
    }
    const looked = <T>(value: T): T | null => (books === null ? null : value);
    return {
      what: window.what,
      seconds: (window.to - window.from) / 1_000,
      gaps: gapsOf(successes, window),
      slowest,
      requests: within.length,
      ...counts,
      unknownDone: looked(counts.unknownDone),
      tasksFailed: looked(counts.tasksFailed),
      ...lies,
      lost: looked(lies.lost),
      doubled: looked(lies.doubled),
      details,
    };
  });
}

/** Whether somebody was lied to: something acknowledged is lost, anything was done twice, or an answer was wrong. */
export function isClean(rows: readonly Row[]): boolean {
  return rows.every(({ lost, doubled, wrong }) => !lost && !doubled && wrong === 0);
}

type Times = ReadonlyMap<Column, readonly number[]>;

/** When successes ended, in order. */
function successTimes(entries: readonly Entry[]): Times {
  const times = new Map<Column, number[]>(COLUMNS.map((column) => [column, []]));
  for (const { kind, outcome, ended } of entries) {
    if (outcome === 'ok') times.get(columnOf(kind))?.push(ended);
  }
  for (const list of times.values()) list.sort((a, b) => a - b);
  return times;
}

function gapsOf(successes: Times, window: Window): Record<Column, number> {
  const gaps = COLUMNS.map((column) => [column, longestGap(successes.get(column) ?? [], window)]);
  return Object.fromEntries(gaps) as Record<Column, number>;
}

/**
 * Of ascending times. What lies outside the window does not count: it is of the window before or after, in which
 * something else is broken.
 */
export function longestGap(times: readonly number[], { from, to }: Pick<Window, 'from' | 'to'>): number {
  let longest = 0;
  let before = from;
  for (const time of times) {
    if (time <= from) continue;
    if (time >= to) break;
    longest = Math.max(longest, time - before);
    before = time;
  }
  return Math.max(longest, to - before);
}
