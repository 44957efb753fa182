import { waitFor } from './wait.ts';

export const DATASOURCE = 'visits';
const COUNTRIES = ['Austria', 'Brazil', 'Canada', 'Denmark', 'Egypt'];
const HOURS = 48;

/** Rows of the demo: visits to a site by country and hour. */
function rows(): { readonly ts: string; readonly country: string; readonly visits: number }[] {
  const start = Date.UTC(2026, 0, 1);
  return Array.from({ length: HOURS * COUNTRIES.length }, (_, i) => ({
    ts: new Date(start + Math.floor(i / COUNTRIES.length) * 3_600_000).toISOString(),
    country: COUNTRIES[i % COUNTRIES.length] ?? '',
    visits: 100 + ((i * 37) % 91),
  }));
}

/**
 * An ingestion task with its data inside, as the Overlord takes it at `/druid/indexer/v1/task`. It replaces what is
 * there in its time, unless it appends.
 */
export function ingestionTask(
  dataSource: string,
  data: readonly object[],
  dimensions: readonly unknown[],
  appendToExisting = false,
) {
  return {
    type: 'index_parallel',
    spec: {
      dataSchema: {
        dataSource,
        timestampSpec: { column: 'ts', format: 'iso' },
        dimensionsSpec: { dimensions },
        granularitySpec: { segmentGranularity: 'DAY', queryGranularity: 'NONE', rollup: false },
      },
      ioConfig: {
        type: 'index_parallel',
        inputFormat: { type: 'json' },
        appendToExisting,
        inputSource: { type: 'inline', data: data.map((row) => JSON.stringify(row)).join('\n') },
      },
      tuningConfig: {
        type: 'index_parallel',
        maxNumConcurrentSubTasks: 1,
        partitionsSpec: { type: 'dynamic' },
      },
    },
  };
}

/** What there is to know of the demo's rows once they are loaded. */
export interface Loaded {
  readonly rows: number;
  /** Their sum. */
  readonly visits: number;
  /** The id of the task that loaded them. */
  readonly task: string;
}

/**
 * Loads the demo's rows through the URL of a gateway, and waits until SQL counts them; with `sqlUrl`, through an Overlord
 * and by a Broker.
 */
export async function loadDataset(url: string, signal?: AbortSignal, sqlUrl = url): Promise<Loaded> {
  const data = rows();
  const spec = ingestionTask(DATASOURCE, data, ['country', { type: 'long', name: 'visits' }]);
  const task = await ingest(url, spec, signal);
  await waitForRows(sqlUrl, DATASOURCE, data.length, signal);
  return { rows: data.length, visits: data.reduce((sum, row) => sum + row.visits, 0), task };
}

/** Submits a task through the Overlord and waits for its success. Rejects when it fails. */
export async function ingest(url: string, task: object, signal?: AbortSignal): Promise<string> {
  const submitted = await fetch(`${url}/druid/indexer/v1/task`, json(task));
  const text = await submitted.text();
  if (submitted.status !== 200) throw new Error(`the task was refused with ${submitted.status}: ${text}`);
  const { task: id } = JSON.parse(text) as { task: string };
  await waitFor(
    `task ${id}`,
    async () => {
      const answer = await fetch(`${url}/druid/indexer/v1/task/${id}/status`);
      if (answer.status !== 200) return false;
      const { status } = (await answer.json()) as { status: { statusCode: string; errorMsg?: string } };
      if (status.statusCode === 'FAILED') throw new Error(`task ${id} failed: ${status.errorMsg ?? ''}`);
      return status.statusCode === 'SUCCESS';
    },
    { timeoutMs: 180_000, ...(signal === undefined ? {} : { signal }) },
  );
  return id;
}

/** A gateway spreads queries over Brokers, and each learns of new segments by itself. */
const RIGHT_ANSWERS = 10;

/** Waits until a datasource has so many rows, by answer after answer. */
export async function waitForRows(
  url: string,
  dataSource: string,
  count: number,
  signal?: AbortSignal,
): Promise<void> {
  let right = 0;
  await waitFor(
    `${count} rows of ${dataSource}`,
    async () => {
      const answer = await fetch(
        `${url}/druid/v2/sql`,
        json({ query: `SELECT COUNT(*) c FROM "${dataSource}"` }),
      );
      // Until the Broker knows the table it answers 400.
      const body = (await answer.json()) as { c: number }[];
      right = answer.status === 200 && body[0]?.c === count ? right + 1 : 0;
      return right === RIGHT_ANSWERS;
    },
    { timeoutMs: 120_000, intervalMs: 100, ...(signal === undefined ? {} : { signal }) },
  );
}

/** One SQL query; its rows as objects. Rejects with Druid's answer when it is not 200. */
export async function sql(url: string, query: string): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${url}/druid/v2/sql`, json({ query }));
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`the query was answered with ${answer.status}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>[];
}

function json(body: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
