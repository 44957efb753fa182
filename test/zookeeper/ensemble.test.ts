import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';
import { connectWriter } from '../kit/zookeeper/zookeeper-writer.ts';
import { BROKERS, brokersOf, closeAll, discover, latchOf, populate, until } from './fixture.ts';

let ensemble: Ensemble;

beforeAll(async () => {
  ensemble = await startEnsemble({ servers: 3 });
  const writer = await connectWriter(ensemble.connect);
  await populate(writer);
});

afterAll(() => ensemble.close());
afterEach(closeAll);

test('the loss of any one of three servers changes nothing', async () => {
  const discovery = discover(ensemble.connect);
  await until(discovery, () => discovery.snapshot.complete);
  const states: string[] = [];
  discovery.on('status', ({ state }) => states.push(state));
  for (const [i, server] of ensemble.servers.entries()) {
    await server.kill('SIGKILL');
    await ensemble.serving(2);
    await until(discovery, () => discovery.status.state === 'connected');
    expect(latchOf(discovery)).toEqual(['http://127.0.0.1:8081']);
    const writer = await connectWriter(ensemble.connect);
    const added = await writer.announce(BROKERS, 'broker', 8100 + i);
    await until(discovery, () => brokersOf(discovery).includes(`127.0.0.1:${8100 + i}`));
    await writer.remove(added);
    writer.close();
    await server.start();
    await ensemble.serving(3);
  }
  expect(states).not.toContain('lost');
});

test('a frozen server is left for another one, in the same session', async () => {
  const discovery = discover(ensemble.connect, { sessionTimeoutMs: 6_000 });
  await until(discovery, () => discovery.snapshot.complete);
  const states: string[] = [];
  discovery.on('status', ({ state }) => states.push(state));
  // Whichever server it is on, one of these freezes is felt.
  for (const server of ensemble.servers) {
    await server.kill('SIGSTOP');
    try {
      await ensemble.serving(2);
      const writer = await connectWriter(
        ensemble.servers
          .filter((other) => other !== server)
          .map(({ port }) => `127.0.0.1:${port}`)
          .join(),
      );
      const added = await writer.announce(BROKERS, 'broker', 8200);
      await until(discovery, () => brokersOf(discovery).includes('127.0.0.1:8200'));
      await writer.remove(added);
      await until(discovery, () => !brokersOf(discovery).includes('127.0.0.1:8200'));
      writer.close();
    } finally {
      await server.kill('SIGCONT');
    }
    await ensemble.serving(3);
  }
  expect(states).toContain('suspended');
  expect(states).not.toContain('lost');
});

test('without any server the last view stays, with its age; with them it is read anew', async () => {
  const discovery = discover(ensemble.connect, { sessionTimeoutMs: 2_000 });
  await until(discovery, () => discovery.snapshot.complete);
  const { readAt } = discovery.snapshot;
  const latch = latchOf(discovery);
  expect(brokersOf(discovery)).toEqual(['127.0.0.1:8082']);
  const states: string[] = [];
  discovery.on('status', ({ state }) => states.push(state));
  await Promise.all(ensemble.servers.map((server) => server.kill('SIGKILL')));
  await until(discovery, () => discovery.status.state === 'lost');
  expect(states[0]).toBe('suspended');
  expect(discovery.snapshot).toMatchObject({ complete: true, readAt });
  expect(latchOf(discovery)).toEqual(latch);
  expect(brokersOf(discovery)).toEqual(['127.0.0.1:8082']);
  await Promise.all(ensemble.servers.map((server) => server.start()));
  await until(discovery, () => discovery.status.state === 'connected');
  const writer = await connectWriter(ensemble.connect);
  await writer.announce(BROKERS, 'broker', 8300);
  await until(discovery, () => brokersOf(discovery).includes('127.0.0.1:8300'));
  expect(discovery.snapshot.readAt).toBeGreaterThan(readAt);
  writer.close();
});
