import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { DATASOURCE, ingestionTask } from '../../tools/druid-cluster/dataset.ts';
import { type Entry, isWrite, KINDS, type Kind, type Outcome } from './ledger.ts';

/** What the load's rows go to. */
export const LOADED = 'loaded';
/** How many rows each task of the kind `rows` brings. */
export const ROWS_OF_TASK = 2;

/** What the clients of a healthy cluster would be told. */
export interface Truth {
  /** The sum of `visits` over the demo's data set, and how many rows it has. */
  readonly visits: number;
  readonly rows: number;
  /** A task that has succeeded. */
  readonly task: string;
}

/** Clients at a steady pace, whatever becomes of what they sent before. They never send anything twice. */
export interface Load {
  readonly entries: readonly Entry[];
  /** Ids that the Overlord has given to acknowledged tasks, by the key of the request. */
  readonly tasks: ReadonlyMap<string, string>;
  /** Waits until something of each kind that was sent from now on has succeeded. Rejects after so many milliseconds. */
  succeeded(withinMs: number, signal?: AbortSignal): Promise<void>;
  /** Sends no more, and waits for all answers. */
  stop(): Promise<void>;
}

/** Milliseconds between two requests of each kind. */
export type Pace = Readonly<Record<Kind, number>>;

/** As much as two cores carry beside all the processes. */
export const PACE: Pace = {
  coordinatorRead: 100,
  overlordRead: 100,
  query: 50,
  setting: 1_000,
  task: 1_000,
  rows: 3_000,
};
/** Longer than the gateway has a request wait for a leader. */
const PATIENCE_MS = 90_000;
const DAY_MS = 86_400_000;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: boolean;
}

/** Begins to ask the gateway at a URL. */
export function startLoad(url: string, truth: Truth, pace: Pace = PACE): Load {
  const agent = new Agent({ headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS, connections: null });
  const entries: Entry[] = [];
  const lastSuccess = new Map<Kind, number>();
  const tasks = new Map<string, string>();
  const pending = new Set<Promise<void>>();
  const run = Date.now().toString(36);
  let made = 0;
  let queries = 0;

  async function ask(method: 'GET' | 'POST', path: string, body?: object, comment?: string): Promise<Answer> {
    const answer = await request(url + path, {
      method,
      dispatcher: agent,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(comment === undefined ? {} : { 'x-druid-author': 'load', 'x-druid-comment': comment }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, text, retryAfter: answer.headers['retry-after'] !== undefined };
  }

  async function note(kind: Kind, key: string | undefined, work: () => Promise<Verdict>): Promise<void> {
    const sent = performance.now();
    const verdict = await work().catch((error: unknown): Verdict => {
      // The connection broke, or nothing came within the client's patience.
      return { outcome: isWrite(kind) ? 'unknown' : 'refused', detail: nameOf(error) };
    });
    const ended = performance.now();
    entries.push({ kind, sent, ended, ...verdict, ...(key === undefined ? {} : { key }) });
    if (verdict.outcome === 'ok') lastSuccess.set(kind, Math.max(sent, lastSuccess.get(kind) ?? 0));
  }

  const kinds: Readonly<Record<Kind, () => Promise<void>>> = {
    coordinatorRead: () =>
      note('coordinatorRead', undefined, async () =>
        judgeRead(await ask('GET', '/druid/coordinator/v1/datasources'), (names) =>
          (names as string[]).includes(DATASOURCE),
        ),
      ),
    overlordRead: () =>
      note('overlordRead', undefined, async () =>
        judgeRead(
          await ask('GET', `/druid/indexer/v1/task/${encodeURIComponent(truth.task)}/status`),
          (said) => (said as { status?: { statusCode?: string } }).status?.statusCode === 'SUCCESS',
        ),
      ),
    query: () =>
      note('query', undefined, async () => {
        // Every other one has an answer of many rows, which could be cut.
        const whole = queries++ % 2 === 0;
        const columns = whole ? 'COUNT(*) AS n, SUM(visits) AS visits' : '*';
        const query = `SELECT ${columns} FROM ${DATASOURCE}`;
        return judgeRead(await ask('POST', '/druid/v2/sql', { query }), (rows) => {
          const list = rows as { n?: number; visits: number }[];
          const visits = list.reduce((sum, row) => sum + row.visits, 0);
          return visits === truth.visits && (whole ? list[0]?.n === truth.rows : list.length === truth.rows);
        });
      }),
    setting() {
      const number = made++;
      const key = `${run}-setting-${number}`;
      const setting = { replicationThrottleLimit: 100 + (number % 900) };
      return note('setting', key, async () =>
        judgeWrite(await ask('POST', '/druid/coordinator/v1/config', setting, key)),
      );
    },
    task() {
      const key = `${run}-task-${made++}`;
      // The Overlord gives each delivery an id of its own: one that came twice is there twice.
      const task = { type: 'noop', groupId: key, runTime: 1 };
      return note('task', key, async () => submitted(key, await ask('POST', '/druid/indexer/v1/task', task)));
    },
    rows() {
      const number = made++;
      const key = `${run}-rows-${number}`;
      // A day of its own, so that no task waits for another one's lock.
      const ts = new Date(Date.UTC(2000, 0, 1) + number * DAY_MS).toISOString();
      const rows = Array.from({ length: ROWS_OF_TASK }, (_, n) => ({ ts, k: key, n }));
      // Appended: rows that come twice are there twice.
      const task = ingestionTask(LOADED, rows, ['k', { type: 'long', name: 'n' }], true);
      return note('rows', key, async () => submitted(key, await ask('POST', '/druid/indexer/v1/task', task)));
    },
  };

  function submitted(key: string, answer: Answer): Verdict {
    const verdict = judgeWrite(answer);
    if (verdict.outcome === 'ok') tasks.set(key, (JSON.parse(answer.text) as { task: string }).task);
    return verdict;
  }

  const timers = KINDS.map((kind) =>
    setInterval(() => {
      const work = kinds[kind]();
      pending.add(work);
      void work.then(() => pending.delete(work));
    }, pace[kind]),
  );

  return {
    entries,
    tasks,
    async succeeded(withinMs, signal) {
      const from = performance.now();
      for (;;) {
        const missing = KINDS.filter((kind) => (lastSuccess.get(kind) ?? 0) < from);
        if (missing.length === 0) return;
        if (performance.now() > from + withinMs) {
          throw new Error(`no success within ${withinMs / 1_000} s: ${missing.join(', ')}`);
        }
        await sleep(50, undefined, signal === undefined ? {} : { signal });
      }
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(pending);
      await agent.close();
    },
  };
}

interface Verdict {
  readonly outcome: Outcome;
  readonly detail?: string;
}

/** What a read's answer is worth, by what it should say. */
export function judgeRead(answer: Answer, isTrue: (body: unknown) => boolean): Verdict {
  if (answer.status !== 200) return { outcome: 'refused', detail: told(answer) };
  try {
    if (isTrue(JSON.parse(answer.text))) return { outcome: 'ok' };
  } catch {
    // Not even JSON, though its end came as it should.
  }
  return { outcome: 'wrong', detail: answer.text.slice(0, 100) };
}

/**
 * What a write's answer says. `Retry-After` promises that nothing was done; any other error, of Druid's or of the
 * gateway's, can come after Druid has begun.
 */
export function judgeWrite(answer: Answer): Verdict {
  if (answer.status === 200) return { outcome: 'ok' };
  return { outcome: answer.retryAfter ? 'refused' : 'unknown', detail: told(answer) };
}

/** `503 no_leader`, or the status with the beginning of what Druid says. */
function told({ status, text }: Answer): string {
  const reason = /"errorCode":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 80).replaceAll(/\s+/g, ' ');
  return `${status} ${reason}`.trim();
}

function nameOf(error: unknown): string {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  return code ?? message ?? String(error);
}
