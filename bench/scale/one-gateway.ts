import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectWriter } from '../../test/kit/zookeeper/zookeeper-writer.ts';
import { startProcess } from '../../tools/druid-cluster/managed-process.ts';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import { answers200, waitFor } from '../../tools/druid-cluster/wait.ts';
import type { Ensemble } from '../../tools/druid-cluster/zookeeper-ensemble.ts';
import { createOwned } from '../owned.ts';
import { usage } from '../proc.ts';
import { median } from '../stats.ts';
import type { OneGateway, OneGatewayChurn, Page } from './results.ts';
import { type Announced, Announcer, announcement } from './znodes.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const UPSTREAM = fileURLToPath(new URL('../upstream.ts', import.meta.url));
const PAGES = ['/status', '/view', '/metrics'];
const TIMES = 5;
/** Until what the start has begun is over. */
const CALM_MS = 3_000;
const LONGEST_MS = 120_000;
/** Looks at `/status` are not to be what the start costs. */
const LOOK_MS = 500;

/** Single Brokers that were late on a busy machine are not waited for. */
const MOST = 0.99;

/** As much of `/status` as says that it relays. */
interface Status {
  readonly leaders: Readonly<Record<'coordinator' | 'overlord', { readonly state: string }>>;
  readonly brokers: readonly { readonly ready: boolean }[];
}

/**
 * Starts the built gateway in front of so many Brokers, each with an address of its own (127.1.0.0/16), all of which one
 * responder answers for, and measures it idle, and while Brokers come and go.
 */
export async function measureOneGateway(
  ensemble: Ensemble,
  count: number,
  { folder, rates, seconds, signal }: OneGatewayPlan,
): Promise<OneGateway> {
  const own = join(folder, `gateway-${count}`);
  await mkdir(own);
  const owned = createOwned();
  const writer = await connectWriter(ensemble.connect);
  try {
    const [port = 0, listen = 0, admin = 0] = await freePorts(3);
    const responder = await startProcess({
      name: 'the responder',
      command: process.execPath,
      args: [UPSTREAM, JSON.stringify([port]), '0.0.0.0'],
      cwd: own,
      logFile: join(own, 'responder.log'),
    });
    owned.own(responder);
    await waitFor('the responder', () => answers200(`http://127.1.0.1:${port}/status/health`), {
      timeoutMs: 60_000,
      process: responder,
      signal,
    });
    const base = `/one-${count}`;
    for (const role of ['coordinator', 'overlord']) {
      await writer.elect(`${base}/${role}/_${role.toUpperCase()}`, `http://127.0.0.1:${port}`);
      const path = `${base}/internal-discovery/${role.toUpperCase()}/127.0.0.1:${port}`;
      await writer.put(path, announcement({ host: '127.0.0.1', port }, role));
    }
    await writer.put(`${base}/internal-discovery/BROKER`);
    const announcer = new Announcer(writer, `${base}/internal-discovery/BROKER`, addressOf);
    const brokers = Array.from({ length: count }, (_, i): Announced => ({ host: addressOf(i), port }));
    await announcer.addAll(brokers);

    const since = performance.now();
    const gateway = await startProcess({
      name: 'the gateway',
      // A path has no flag.
      command: 'env',
      args: [
        `DRUID_GATEWAY__ZOOKEEPER__BASE_PATH=${base}`,
        `PATH=${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
        MAIN,
        ...['serve', '--zookeeper', ensemble.connect],
        ...['--listen', `127.0.0.1:${listen}`, '--admin', `127.0.0.1:${admin}`],
      ],
      cwd: own,
      logFile: join(own, 'gateway.log'),
    });
    owned.own(gateway);
    const url = `http://127.0.0.1:${admin}`;
    const ready = (): Promise<boolean> => isWhole(url, count);
    await waitFor('the gateway', ready, {
      timeoutMs: LONGEST_MS,
      intervalMs: LOOK_MS,
      process: gateway,
      signal,
    });
    const startMs = performance.now() - since;
    const startTurnMs = await longestTurn(url);
    await sleep(CALM_MS, undefined, { signal });

    const share = async (): Promise<{ readonly cpu: number; readonly rssBytes: number }> => {
      const began = performance.now();
      const before = await usage(gateway.pid);
      await sleep(seconds * 1_000, undefined, { signal });
      const after = await usage(gateway.pid);
      const us = (performance.now() - began) * 1_000;
      return { cpu: (after.cpuUs - before.cpuUs) / us, rssBytes: after.rssBytes };
    };
    const { cpu: idleCpu, rssBytes } = await share();
    const pages: Page[] = [];
    for (const path of PAGES) pages.push(await measurePage(url, path));
    // Until the delay that the last one caused has been seen.
    await sleep(LOOK_MS, undefined, { signal });
    const scrapeTurnMs = await longestTurn(url);
    const churn: OneGatewayChurn[] = [];
    for (const perSecond of rates) {
      const end = announcer.churn(brokers, perSecond);
      // By then some of them have been read.
      await sleep(CALM_MS, undefined, { signal });
      await longestTurn(url);
      churn.push({ perSecond, ...(await share()), turnMs: await longestTurn(url) });
      await end();
    }
    return { brokers: count, startMs, startTurnMs, rssBytes, idleCpu, churn, scrapeTurnMs, pages };
  } finally {
    await owned.close();
    writer.close();
  }
}

export interface OneGatewayPlan {
  readonly folder: string;
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** A loopback address for each number below 65,000. */
function addressOf(i: number): string {
  return `127.1.${Math.floor(i / 254)}.${1 + (i % 254)}`;
}

async function isWhole(url: string, count: number): Promise<boolean> {
  try {
    const response = await fetch(`${url}/status`, { signal: AbortSignal.timeout(LONGEST_MS) });
    const { leaders, brokers } = (await response.json()) as Status;
    const serving = leaders.coordinator.state === 'serving' && leaders.overlord.state === 'serving';
    return serving && brokers.filter(({ ready }) => ready).length >= count * MOST;
  } catch {
    return false;
  }
}

async function measurePage(url: string, path: string): Promise<Page> {
  const times: number[] = [];
  let bytes = 0;
  for (let i = 0; i < TIMES; i++) {
    const began = performance.now();
    const response = await fetch(url + path, { headers: { 'accept-encoding': 'identity' } });
    bytes = (await response.arrayBuffer()).byteLength;
    times.push(performance.now() - began);
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}`);
  }
  return { path, bytes, ms: median(times) };
}

/** The longest delay of the event loop since the scrape before, in ms. */
async function longestTurn(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_max_seconds ([\d.e-]+)$/m.exec(text)?.[1]) * 1_000;
}
