import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Door } from '../kit/gateway/door.ts';
import { answersIn, concurrently, connect, pause } from './client.ts';
import { type GeneratedRequest, generateRequest } from './generate.ts';
import { generateAdminRequest } from './generate-admin.ts';
import { ANSWER_HEADER, ANSWERS } from './odd-answers.ts';
import { type Random, SEED, seeded } from './random.ts';
import { ask, type Rig, startRig } from './rig.ts';

const REQUESTS = 2_000;
const WIDTH = 64;
/** A client that has heard nothing by then leaves: some ask for a longer time limit than that. */
const PATIENCE_MS = 2_500;
/** What may follow an answer in error follows at once. */
const AFTER_ANSWER_MS = 30;
/** Far above what requests of 1 MB need, and below what a leak of 2,000 of them comes to. */
const MOST_GROWTH = 500 * 1024 ** 2;
/** What clients may be told, whatever nodes say. */
const STATUS = /^[1-5]\d\d$/;
/** Nothing that is asked of the admin listener makes it fail. */
const ADMIN_STATUS = /^[1-4]\d\d$/;
const SLOW_QUERY = {
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    [ANSWER_HEADER]: String(ANSWERS.findIndex(({ name }) => name === '200 after 900 ms')),
  },
  body: '{"query":"SELECT 1"}',
};

/** Sends one request and looks at what comes; what is wrong with that, if anything. */
async function send(
  request: GeneratedRequest,
  port: number,
  tls: boolean,
  mayBe: RegExp,
): Promise<string | null> {
  const client = await connect(port, tls);
  if (client === null) return 'no connection';
  const { method, pieces, departure, leavesAfterMs, single } = request;
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await pause(2);
    client.send(piece);
  }
  if (departure !== null) {
    await pause(leavesAfterMs);
    client.leave(departure);
  }
  const isThere = (received: string): boolean => answersIn(received, method).statuses.length > 0;
  await client.until(isThere, PATIENCE_MS);
  if (!client.closed && isThere(client.received())) await client.closedWithin(AFTER_ANSWER_MS);
  const { statuses } = answersIn(client.received(), method, client.closed);
  client.destroy();
  const odd = statuses.find((status) => !mayBe.test(status));
  if (odd !== undefined) return `answered ${odd}`;
  return single && statuses.length > 1 ? `answered ${statuses.join(' and ')}` : null;
}

/** All that reads of a request besides: spans, which nobody takes, and the names of users. */
const OBSERVED = {
  log: { user: true, sampling: { ratio: 0.5 } },
  tracing: { enabled: true, delay: '100ms', otlp: { endpoint: 'http://127.0.0.1:1', timeout: '100ms' } },
};

/** The tests of one door with one number of processes. */
export function testGenerated(door: Door, workers: number, tls: boolean): void {
  const name = `${door} door, ${workers === 1 ? 'one process' : `${workers} workers`}${tls ? ', TLS' : ''}`;
  describe(name, () => {
    // Each gateway has other requests, which are the same again with the same seed.
    const random: Random = seeded(SEED + name.length * 1_000 + workers);
    const ofNodes: Random = seeded(SEED + 1);
    let rig: Rig;
    beforeAll(async () => {
      rig = await startRig({
        door,
        workers,
        tls,
        script(request, socket) {
          // What the gateway asks by itself, such as cancels, has answers at random.
          const number = Number(request.header(ANSWER_HEADER) ?? ofNodes.below(ANSWERS.length));
          ANSWERS[number]?.play(
            socket,
            request,
            rig.nodes.map(({ origin }) => origin),
          );
        },
        config: {
          brokers: {
            tiers: { hot: 'druid/broker-hot', _default_tier: 'druid/broker' },
            rules: [
              { match: { header: 'X-Team: bi', user: 'a' }, service: 'druid/broker-hot' },
              {
                match: { datasource: 't', contextKey: 'team', contextValue: 'bi' },
                service: 'druid/broker-hot',
              },
            ],
            strategies: ['timeBoundary', 'priority', { type: 'manual', sql: true }],
          },
          forwarded: { trust: ['127.0.0.0/8'] },
          limits: { concurrency: { broker: 24, coordinator: 16, overlord: 16 } },
          upstream: { totalTimeout: '3s', maxRequestsPerNode: 16 },
          ...(workers > 1 ? OBSERVED : {}),
        },
        services: ['druid/broker', 'druid/broker-hot'],
      });
    });
    afterAll(async () => {
      await rig.close();
    });

    /** Sends all of them to a listener, looks at what comes, and then for what is left. */
    async function sendAll(
      make: () => GeneratedRequest,
      port: number,
      overTls: boolean,
      mayBe = STATUS,
      afterwards = async (): Promise<void> => {},
    ): Promise<void> {
      const before = await rig.memory();
      const wrong = new Map<string, string>();
      const underWay = new Set<string>();
      let refused: string[] | null = null;
      await concurrently(Array(REQUESTS).keys(), WIDTH, async () => {
        const request = make();
        underWay.add(request.name);
        const fault = await send(request, port, overTls, mayBe);
        // Whoever ended the process is among these.
        if (fault === 'no connection') refused ??= [...underWay];
        if (fault !== null) wrong.set(fault, request.name);
        underWay.delete(request.name);
      });
      await afterwards();
      const faults = await rig.faults();
      const seen = [...wrong].map(([fault, of]) => `${fault}: ${of}`).slice(0, 10);
      expect.soft([...faults, ...seen, ...(refused ?? []).slice(0, 10)], `HOSTILE_SEED=${SEED}`).toEqual([]);
      expect.soft(await rig.leftovers(), `HOSTILE_SEED=${SEED}`).toEqual([]);
      expect((await rig.memory()) - before).toBeLessThan(MOST_GROWTH);
    }

    test(`${REQUESTS} generated requests and the odd answers to them harm nobody`, () =>
      sendAll(() => generateRequest(random), rig.port, tls));

    // The admin listener is the same whatever clients come through.
    if (tls || door === 'shared') return;
    test(`${REQUESTS} generated requests to the admin listener harm nobody`, async () => {
      const brokers = rig.brokers.map((node) => `127.0.0.1:${node.port}`);
      // Brokers have something to do that drains wait for.
      let over = false;
      const busy = Array.from({ length: 8 }, async () => {
        while (!over) await ask(`${rig.gateway.url}/druid/v2/sql`, SLOW_QUERY);
      });
      const make = (): GeneratedRequest => generateAdminRequest(random, brokers);
      await sendAll(make, rig.adminPort, false, ADMIN_STATUS, async () => {
        over = true;
        await Promise.all(busy);
        for (const broker of brokers) {
          await ask(`${rig.gateway.admin}/brokers/${broker}/return`, { method: 'POST' });
        }
        await rig.gateway.until((status) => status.brokers.every(({ ready }) => ready));
      });
    });
  });
}
