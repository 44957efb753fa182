import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { say, stopSignal } from '../console.ts';
import { describeMachine } from '../machine.ts';
import { WrongOption } from '../options.ts';
import { measureOneGateway } from './one-gateway.ts';
import { renderScale } from './page.ts';
import { measurePoints, measureSpreads, type Plan } from './points.ts';
import type { OneGateway, Point, ScaleResults, Spread } from './results.ts';
import { startServers } from './servers.ts';
import { announcement, brokerHost } from './znodes.ts';

/**
 * Many clients of discovery on a real ZooKeeper, and one gateway in front of many Brokers; see docs/scale.md. Needs the
 * built program.
 */

interface Extent {
  readonly plans: readonly (readonly [servers: number, plan: Plan])[];
  readonly spreads: { readonly gateways: number; readonly ms: readonly number[] };
  /** Brokers of the one gateway. */
  readonly one: readonly number[];
  readonly rates: readonly number[];
  readonly elections: number;
  readonly seconds: number;
}

const RATES = [10, 100];
const FEWEST_BROKERS = 100;
const LEAST_LOAD = 10_000;
const TIMES = { rates: RATES, elections: 3, seconds: 4 };
const FULL: Extent = {
  plans: [
    [
      1,
      {
        ...TIMES,
        sizes: [
          [100, [10, 100, 1_000]],
          [1_000, [10, 100]],
          [5_000, [10, 100]],
        ],
      },
    ],
    [
      3,
      {
        ...TIMES,
        sizes: [
          [100, [10, 100, 1_000]],
          [5_000, [10]],
        ],
      },
    ],
  ],
  spreads: { gateways: 1_000, ms: [0, 100, 1_000] },
  one: [100, 1_000, 5_000],
  ...TIMES,
};
const QUICK_TIMES = { rates: RATES, elections: 1, seconds: 1 };
const QUICK: Extent = {
  plans: [
    [
      1,
      {
        ...QUICK_TIMES,
        sizes: [
          [100, [10, 100]],
          [1_000, [10]],
        ],
      },
    ],
    [3, { ...QUICK_TIMES, sizes: [[100, [10]]] }],
  ],
  spreads: { gateways: 100, ms: [0, 100] },
  one: [100],
  ...QUICK_TIMES,
};

const signal = stopSignal();

async function measure(extent: Extent): Promise<ScaleResults> {
  const { wrk: _, ...machine } = await describeMachine();
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-bench-'));
  const points: Point[] = [];
  const spreads: Spread[] = [];
  const one: OneGateway[] = [];
  try {
    for (const [servers, plan] of extent.plans) {
      const ensemble = await startServers(servers, folder, signal);
      try {
        points.push(...(await measurePoints(ensemble, plan, signal, say)));
        if (servers > 1) continue;
        const { gateways, ms } = extent.spreads;
        spreads.push(...(await measureSpreads(ensemble, gateways, ms, extent.elections, signal)));
        say(`${gateways} gateways that put off their reads: measured`);
        for (const brokers of extent.one) {
          one.push(await measureOneGateway(ensemble, brokers, { folder, signal, ...extent }));
          say(`one gateway, ${brokers} Brokers: measured`);
        }
      } finally {
        await ensemble.close();
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const host = brokerHost(0);
  return {
    date: new Date().toISOString(),
    minutes: performance.now() / 60_000,
    machine,
    nameBytes: `${host}:8082`.length,
    dataBytes: announcement({ host, port: 8082 }).length,
    points,
    spreads,
    one,
  };
}

const RESULTS = new URL('../results/', import.meta.url);
const FIGURES = new URL('../../docs/scale.json', import.meta.url);

function json(results: ScaleResults): string {
  const { points, spreads, one, ...rest } = results;
  const lines = (of: readonly object[]): string =>
    of.map((each) => `    ${JSON.stringify(each)}`).join(',\n');
  const head = JSON.stringify(rest, null, 2).slice(0, -2);
  return (
    `${head},\n  "points": [\n${lines(points)}\n  ],\n  "spreads": [\n${lines(spreads)}\n  ],\n` +
    `  "one": [\n${lines(one)}\n  ]\n}\n`
  );
}

interface Chosen {
  readonly extent: Extent;
  readonly publish: boolean;
}

function options(): Chosen {
  const { quick, publish, load } = parsed();
  const most = Number(load ?? Number.POSITIVE_INFINITY);
  if (!(most >= LEAST_LOAD)) throw new WrongOption(`--load is a number from ${LEAST_LOAD}`);
  return { extent: limited(quick === true ? QUICK : FULL, most), publish: publish === true };
}

function parsed() {
  try {
    return parseArgs({
      options: { quick: { type: 'boolean' }, publish: { type: 'boolean' }, load: { type: 'string' } },
    }).values;
  } catch (error) {
    throw new WrongOption((error as Error).message);
  }
}

/** The same without points of which gateways times Brokers, the reads of their start, is more than that. */
function limited(extent: Extent, most: number): Extent {
  const plans = extent.plans.map(([servers, plan]): Extent['plans'][number] => {
    const sizes = plan.sizes.map(
      ([brokers, gateways]) => [brokers, gateways.filter((count) => count * brokers <= most)] as const,
    );
    return [servers, { ...plan, sizes }];
  });
  const { gateways, ms } = extent.spreads;
  return { ...extent, plans, spreads: { gateways: Math.min(gateways, most / FEWEST_BROKERS), ms } };
}

try {
  const { extent, publish } = options();
  const results = await measure(extent);
  await mkdir(RESULTS, { recursive: true });
  await writeFile(new URL('scale.json', RESULTS), json(results));
  process.stdout.write(`${renderScale(results)}\n`);
  if (publish) {
    await writeFile(FIGURES, json(results));
    say('docs/scale.json is written; npm run docs:generate makes the tables of docs/scale.md of it');
  }
  process.exit(0);
} catch (error) {
  const { message, stack } = (signal.aborted ? signal.reason : error) as Error;
  process.stderr.write(`bench: ${signal.aborted || error instanceof WrongOption ? message : stack}\n`);
  process.exit(error instanceof WrongOption ? 2 : 1);
}
