import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ListedTask } from '../../../demo/chaos/books.ts';
import { type ChaosOptions, NOTHING, type Outcome, runChaos } from '../../../demo/chaos/chaos.ts';
import { isClean } from '../../../demo/chaos/ledger.ts';
import type { Scene } from '../../../demo/chaos/scene.ts';
import type { Step } from '../../../demo/chaos/steps.ts';

/** How the cluster lies while something is broken. */
type Lie =
  | 'loses tasks'
  | 'doubles rows'
  | 'refuses and does'
  | 'cuts answers'
  | 'fails tasks'
  | 'never ends tasks'
  | 'answers nothing';

interface Sent {
  readonly type: string;
  readonly groupId: string;
  readonly spec: { readonly ioConfig: { readonly inputSource: { readonly data: string } } };
}

/** As much of a cluster as the load and the books meet: it keeps what it is told, unless it lies. */
class Cluster {
  lie: Lie | null = null;
  /** Whether the last task ends while the next list is made: it stands neither among the complete nor the running. */
  endsWhileListed = false;
  readonly tasks: ListedTask[] = [];
  readonly comments: string[] = [];
  readonly rows: string[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '', headers } = request;
    const body = await text(request);
    const { lie } = this;
    const json = (value: unknown): void => void response.end(JSON.stringify(value));
    if (lie === 'answers nothing') response.destroy();
    else if (url === '/druid/coordinator/v1/datasources') json(['visits']);
    else if (url.startsWith('/druid/coordinator/v1/config/history')) {
      json(this.comments.map((comment) => ({ auditInfo: { comment } })));
    } else if (url === '/druid/coordinator/v1/config') {
      this.comments.push(String(headers['x-druid-comment']));
      if (lie === 'refuses and does') response.writeHead(503, { 'retry-after': '1' });
      response.end();
    } else if (url === '/druid/indexer/v1/task') json({ task: this.#submit(JSON.parse(body) as Sent) });
    else if (url === '/druid/indexer/v1/tasks') json(this.#list());
    else if (url === '/druid/indexer/v1/task/first/status') json({ status: { statusCode: 'SUCCESS' } });
    else if (url === '/druid/v2/sql' && method === 'POST') json(this.#query(body));
    else response.writeHead(404).end();
  }

  #submit({ type, groupId, spec }: Sent): string {
    const id = `${type}_${this.tasks.length}`;
    if (this.lie === 'loses tasks') return id;
    const statusCode =
      this.lie === 'fails tasks' ? 'FAILED' : this.lie === 'never ends tasks' ? 'RUNNING' : 'SUCCESS';
    this.tasks.push({ id, groupId: groupId ?? id, statusCode });
    if (type === 'index_parallel' && statusCode === 'SUCCESS') {
      const rows = spec.ioConfig.inputSource.data
        .split('\n')
        .map((row) => (JSON.parse(row) as { k: string }).k);
      this.rows.push(...rows, ...(this.lie === 'doubles rows' ? rows : []));
    }
    return id;
  }

  #list(): readonly ListedTask[] {
    const absent = this.endsWhileListed ? this.tasks.findLast(({ id }) => id.startsWith('noop')) : undefined;
    this.endsWhileListed = false;
    return this.tasks.filter((task) => task !== absent);
  }

  #query(body: string): unknown {
    if (body.includes('GROUP BY k')) {
      const counts = new Map<string, number>();
      for (const k of this.rows) counts.set(k, (counts.get(k) ?? 0) + 1);
      return [...counts].map(([k, n]) => ({ k, n }));
    }
    if (body.includes('COUNT')) return [{ n: 2, visits: 7 }];
    return this.lie === 'cuts answers' ? [{ visits: 3 }] : [{ visits: 3 }, { visits: 4 }];
  }
}

const PACE = { coordinatorRead: 5, overlordRead: 5, query: 5, setting: 10, task: 10, rows: 10 };
const never = new AbortController().signal;

let cluster: Cluster;
let url: string;
let mended: string[];

beforeEach(async () => {
  cluster = new Cluster();
  url = await cluster.listen();
  mended = [];
});
afterEach(() => cluster.close());

/** While it is broken the cluster lies; it has dealt with it once it has told some of it. */
function lying(lie: Lie): Step {
  return {
    name: lie,
    async breakIt() {
      cluster.lie = lie;
      return {
        what: lie,
        dealtWith: () => new Promise((resolve) => setTimeout(resolve, 100)),
        async mend() {
          cluster.lie = null;
          mended.push(lie);
        },
      };
    },
  };
}

function run(steps: readonly Step[], options: Partial<ChaosOptions> = {}): Promise<Outcome> {
  return runChaos({
    scene: { whole: async () => {} } as unknown as Scene,
    url,
    truth: { visits: 7, rows: 2, task: 'first' },
    steps,
    pace: PACE,
    holdMs: 0,
    books: { tasksMs: 1_000, rowsMs: 1_000, everyMs: 10 },
    stop: never,
    abandon: never,
    report: () => {},
    ...options,
  });
}

const calm: Step = {
  name: 'calm',
  breakIt: async () => ({ what: 'calm', dealtWith: async () => {}, mend: async () => {} }),
};

test('a cluster that keeps what it is told comes out clean', async () => {
  const { rows, checked, trouble } = await run([calm, calm]);
  expect({ checked, trouble }).toEqual({ checked: true, trouble: null });
  expect(rows.map(({ what }) => what)).toEqual([NOTHING, 'calm', 'calm']);
  expect(isClean(rows)).toBe(true);
  expect(rows[0]).toMatchObject({ failed: 0, refused: 0, unknown: 0, tasksFailed: 0 });
  expect(rows[0]?.requests).toBeGreaterThan(6);
});

test('a task that ends while the list of tasks is made is not lost', async () => {
  cluster.endsWhileListed = true;
  const { rows, checked } = await run([calm]);
  expect({ checked, listed: !cluster.endsWhileListed }).toEqual({ checked: true, listed: true });
  expect(isClean(rows)).toBe(true);
});

describe('what is not true is found, and in its row', () => {
  test.each<[Lie, 'lost' | 'doubled' | 'wrong']>([
    ['loses tasks', 'lost'],
    ['doubles rows', 'doubled'],
    ['refuses and does', 'doubled'],
    ['cuts answers', 'wrong'],
  ])(
    'a cluster that %s: %s',
    async (lie, column) => {
      const { rows } = await run([lying(lie), calm, calm]);
      expect(rows[1]?.[column]).toBeGreaterThan(0);
      // An answer of the last moment may come when it is mended already.
      expect([rows[0]?.[column], rows[3]?.[column]]).toEqual([0, 0]);
      expect(isClean(rows)).toBe(false);
    },
    120_000,
  );

  test.each(['fails tasks', 'never ends tasks'] as const)(
    'a cluster that %s has lost nothing',
    async (lie) => {
      const { rows } = await run([lying(lie)]);
      expect(rows[1]?.tasksFailed).toBeGreaterThan(0);
      expect(isClean(rows)).toBe(true);
    },
  );

  test('a write without an answer is of unknown fate, and a read has failed', async () => {
    const { rows } = await run([lying('answers nothing')]);
    expect(rows[1]).toMatchObject({ unknownDone: 0, lost: 0, doubled: 0 });
    expect(rows[1]?.unknown).toBeGreaterThan(0);
    expect(rows[1]?.failed).toBeGreaterThan(0);
  });
});

describe('the end of a run', () => {
  test('with a time it goes on breaking until then', async () => {
    const { rows } = await run([calm, lying('answers nothing')], { seconds: 1 });
    expect(rows.length).toBeGreaterThan(3);
    expect(rows.map(({ what }) => what).slice(1, 4)).toEqual(['calm', 'answers nothing', 'calm']);
  });

  test('told to stop, it mends what is broken, breaks nothing more and checks everything', async () => {
    const stop = new AbortController();
    const broken: Step = {
      name: 'fails tasks',
      async breakIt(scene) {
        const now = await lying('fails tasks').breakIt(scene);
        return {
          ...now,
          async dealtWith() {
            await now.dealtWith();
            // While it stays broken for a while.
            setImmediate(() => stop.abort());
          },
        };
      },
    };
    const { rows, checked } = await run([broken, lying('loses tasks')], {
      stop: stop.signal,
      holdMs: 600_000,
    });
    expect(rows.map(({ what }) => what)).toEqual([NOTHING, 'fails tasks']);
    expect(checked).toBe(true);
    expect(mended).toEqual(['fails tasks']);
  });

  test('told to end at once, it has the rows so far, and says that nobody looked', async () => {
    const abandon = new AbortController();
    const stuck: Step = {
      name: 'stuck',
      async breakIt() {
        abandon.abort();
        cluster.lie = 'answers nothing';
        return { what: 'stuck', dealtWith: async () => {}, mend: async () => {} };
      },
    };
    const { rows, checked, trouble } = await run([calm, stuck], {
      stop: abandon.signal,
      abandon: abandon.signal,
    });
    expect(rows.map(({ what, lost }) => [what, lost])).toEqual([
      [NOTHING, null],
      ['calm', null],
      ['stuck', null],
    ]);
    expect({ checked, trouble }).toEqual({ checked: false, trouble: null });
  });

  test('what the cluster does not deal with ends the run, and is mended all the same', async () => {
    const endless: Step = {
      name: 'fails tasks',
      async breakIt(scene) {
        const broken = await lying('fails tasks').breakIt(scene);
        return {
          ...broken,
          async dealtWith() {
            throw new Error('the next overlord: not within 120 s');
          },
        };
      },
    };
    const { rows, checked, trouble } = await run([endless, calm]);
    expect(trouble).toBe('the next overlord: not within 120 s');
    expect(mended).toEqual(['fails tasks']);
    expect(rows.map(({ what }) => what)).toEqual([NOTHING, 'fails tasks']);
    expect(checked).toBe(true);
  });

  test('a step that goes wrong ends the run with what is known until then', async () => {
    const failing: Step = {
      name: 'broker-1 killed',
      async breakIt() {
        throw new Error('there is no broker-1');
      },
    };
    const { rows, checked, trouble } = await run([calm, failing, calm]);
    expect(trouble).toBe('there is no broker-1');
    expect(rows.map(({ what }) => what)).toEqual([NOTHING, 'calm', 'broker-1 killed']);
    expect(checked).toBe(true);
  });
});
