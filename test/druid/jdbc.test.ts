import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addBroker, gatewayForDruid, nodes, remove } from '../support/druid.ts';
import type { NodeInfo } from '../support/druid-setup.ts';
import { isWhole, type RunningGateway } from '../support/gateway-process.ts';
import { startJdbc } from '../support/jdbc.ts';

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

describe.each(['json', 'protobuf'] as const)('the Avatica driver speaking %s', (format) => {
  test('prepares statements and fetches many rows over two Brokers without an error', async () => {
    const clients = await startJdbc(gateway.url, format, 20);
    await pause(3_000);
    const { rounds, broken, errors } = await clients.stop();
    expect(errors).toEqual({});
    expect(broken).toBe(0);
    expect(rounds).toBeGreaterThan(60);
  });
});

test('200 connections, Brokers 3 to 5: no error; one is killed: its connections go on elsewhere', async () => {
  const added: NodeInfo[] = [await addBroker()];
  try {
    await ready(3);
    const clients = await startJdbc(gateway.url, 'json', 200);
    added.push(await addBroker());
    added.push(await addBroker());
    await ready(5);
    await pause(3_000);
    const growing = await clients.stop();
    expect(growing.errors).toEqual({});
    expect(growing.broken).toBe(0);
    expect(growing.rounds).toBeGreaterThan(600);

    const others = await startJdbc(gateway.url, 'json', 200);
    await pause(2_000);
    const victim = added[0];
    if (victim === undefined) throw new Error('there is no Broker to kill');
    process.kill(victim.pid, 'SIGKILL');
    await ready(4);
    await pause(5_000);
    const { rounds, broken, errors } = await others.stop();
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
