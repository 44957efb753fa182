import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addBroker, gatewayForDruid, nodes, remove } from '../kit/druid/druid.ts';
import type { NodeInfo } from '../kit/druid/druid-setup.ts';
import { type JdbcOutcome, startJdbc } from '../kit/druid/jdbc.ts';
import { isWhole, type RunningGateway } from '../kit/gateway/gateway-process.ts';

const FORMATS = ['json', 'protobuf'] as const;

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await gatewayForDruid();
  await gateway.until(isWhole);
});
afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

const ready = (count: number) =>
  gateway.until(({ brokers }) => brokers.filter((broker) => broker.ready).length === count);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(FORMATS)('the Avatica driver speaking %s', (format) => {
  test('prepares statements and fetches many rows over two Brokers without an error', async () => {
    const clients = await startJdbc(gateway.url, format, 20);
    await pause(3_000);
    const { rounds, broken, errors } = await clients.stop();
    expect(errors).toEqual({});
    expect(broken).toBe(0);
    expect(rounds).toBeGreaterThan(60);
  });
});

test('below a base path the driver works as it does at the root', async () => {
  const below = await gatewayForDruid('--base-path', '/druid-prod');
  try {
    await below.until(isWhole);
    const clients = await Promise.all(FORMATS.map((format) => startJdbc(below.url, format, 3)));
    for (const { rounds, broken, errors } of await Promise.all(clients.map((client) => client.stop()))) {
      expect([broken, errors]).toEqual([0, {}]);
      expect(rounds).toBeGreaterThanOrEqual(3);
    }
  } finally {
    expect(await below.stop()).toBe(0);
  }
});

/** Half of the connections speak JSON, the other half protobuf. */
async function startBoth(
  connections: number,
): Promise<() => Promise<Pick<JdbcOutcome, 'rounds' | 'broken' | 'errors'>>> {
  const clients = await Promise.all(
    FORMATS.map((format) => startJdbc(gateway.url, format, connections / FORMATS.length)),
  );
  return async () => {
    const outcomes = await Promise.all(clients.map((client) => client.stop()));
    const sum = (of: 'rounds' | 'broken'): number => outcomes.reduce((all, outcome) => all + outcome[of], 0);
    const errors = outcomes.flatMap((outcome, i) =>
      Object.entries(outcome.errors).map(([message, count]) => [`${FORMATS[i]}: ${message}`, count] as const),
    );
    return { rounds: sum('rounds'), broken: sum('broken'), errors: Object.fromEntries(errors) };
  };
}

test('200 connections, Brokers 3 to 5 to 4: no error while they grow, and a killed one costs a request each', async () => {
  const added: NodeInfo[] = [await addBroker()];
  try {
    await ready(3);
    const stop = await startBoth(200);
    const before = new Set((await nodes()).map(({ name }) => name));
    await Promise.all([addBroker(), addBroker()]);
    added.push(...(await nodes()).filter(({ name }) => !before.has(name)));
    await ready(5);
    await pause(3_000);
    const growing = await stop();
    expect(growing.errors).toEqual({});
    expect(growing.broken).toBe(0);
    expect(growing.rounds).toBeGreaterThan(600);

    const stopOthers = await startBoth(200);
    await pause(2_000);
    const victim = added[0];
    if (victim === undefined) throw new Error('there is no Broker to kill');
    process.kill(victim.pid, 'SIGKILL');
    await ready(4);
    await pause(5_000);
    const { rounds, broken, errors } = await stopOthers();
    expect(broken).toBe(0);
    // What a connection was doing on the lost Broker fails at most once; all else is not touched.
    const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
    expect([failed < 100, errors]).toEqual([true, expect.anything()]);
    expect(rounds).toBeGreaterThan(600);
  } finally {
    for (const { name } of added) await remove(name);
    await ready(2);
    expect((await nodes()).filter(({ role }) => role === 'broker').length).toBe(2);
  }
}, 400_000);
