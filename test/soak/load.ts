import { request } from 'node:http';
import type { MasterRole } from '../../src/discovery/discovery.ts';
import { pause, type Scene } from '../faults/scene.ts';
import type { Entry } from './history.ts';

/** Steady load of every kind, of which every request is recorded. */
export interface Load {
  /** Resolves when nothing is under way. */
  pause(): Promise<void>;
  resume(): void;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly trailers: Readonly<Record<string, string | undefined>>;
}

/** One request, with the trailers that `fetch` does not show. Rejects when the connection breaks. */
function ask(method: string, url: string, body = '', headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { method, headers: { 'content-type': 'application/json', ...headers } },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          // A cut answer ends with an error; Node shows it as `complete` being false.
          if (!answer.complete) reject(new Error('cut'));
          else resolve({ status: answer.statusCode ?? 0, text, trailers: answer.trailers });
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

/** -1 for what is no JSON, although its answer ended cleanly. */
function rowsOf(text: string): number {
  try {
    return (JSON.parse(text) as unknown[]).length;
  } catch {
    return -1;
  }
}

const PACE_MS = { read: 40, write: 200, query: 40, stream: 400, cancel: 1_000 } as const;
const READS: readonly string[] = ['/druid/coordinator/v1/datasources', '/druid/indexer/v1/tasks'];
const WRITES: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1/config',
  overlord: '/druid/indexer/v1/task',
};

export function startLoad(scene: Scene, random: () => number, record: (entry: Entry) => void): Load {
  const pending = new Set<Promise<void>>();
  let paused = false;
  let names = 0;

  async function noted(
    kind: Entry['kind'],
    work: () => Promise<Partial<Entry> & { status: number }>,
  ): Promise<void> {
    const began = performance.now();
    const outcome = await work().catch(() => ({ status: 0 }));
    record({ kind, ms: performance.now() - began, ...outcome });
  }

  const outcomeOf = ({ status, text }: Answer): { status: number; reason?: string } => {
    if (status < 400) return { status };
    const reason = (/"errorCode":"(\w+)"/.exec(text) ?? [])[1];
    return reason === undefined ? { status } : { status, reason };
  };
  const sql = (context: object): Promise<Answer> =>
    ask('POST', `${scene.gateway.url}/druid/v2/sql`, JSON.stringify({ query: 'SELECT 1', context }));

  const kinds: Readonly<Record<Entry['kind'], () => Promise<void>>> = {
    read: () =>
      noted('read', async () =>
        outcomeOf(await ask('GET', scene.gateway.url + (READS[names++ % READS.length] ?? ''))),
      ),
    query: () => noted('query', async () => outcomeOf(await sql({}))),
    write() {
      const name = `write-${names++}`;
      const role = names % 2 === 0 ? 'coordinator' : 'overlord';
      return noted('write', async () => {
        const entry = { name };
        const answer = await ask(
          'POST',
          scene.gateway.url + WRITES[role],
          JSON.stringify({ groupId: name }),
          { 'x-druid-comment': name },
        ).catch(() => null);
        return answer === null ? { ...entry, status: 0 } : { ...entry, ...outcomeOf(answer) };
      });
    },
    stream: () =>
      noted('stream', async () => {
        const wanted = Math.floor(random() * 300);
        const answer = await sql({ rows: wanted, everyMs: 10, rowBytes: Math.floor(random() * 2_000) });
        if (answer.status !== 200) return outcomeOf(answer);
        const saidIncomplete = answer.trailers['x-druid-response-complete'] !== 'true';
        const rows = wanted === 0 ? 0 : rowsOf(answer.text);
        return { status: 200, rows, wanted, saidIncomplete };
      }),
    cancel: () =>
      noted('cancel', async () => {
        const sqlQueryId = crypto.randomUUID();
        const running = sql({ sqlQueryId, rows: 500, everyMs: 20 }).catch(() => null);
        await pause(100);
        const answer = await ask('DELETE', `${scene.gateway.url}/druid/v2/sql/${sqlQueryId}`);
        await running;
        return outcomeOf(answer);
      }),
  };

  const timers = Object.entries(PACE_MS).map(([kind, ms]) =>
    setInterval(() => {
      if (paused) return;
      const work = kinds[kind as Entry['kind']]();
      pending.add(work);
      void work.then(() => pending.delete(work));
    }, ms),
  );

  async function settle(): Promise<void> {
    paused = true;
    await Promise.all(pending);
  }

  return {
    pause: settle,
    resume() {
      paused = false;
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await settle();
    },
  };
}
