import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rendezvous } from '../../../../src/routing/jdbc/rendezvous.ts';
import { exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

const MANY = 10;
const ID = 'c-1';
const MISSING = json({ response: 'error', exceptions: [], errorCode: 1 }, '500 Server Error');
const WELL = json({ response: 'fine' });

/** In the order of the hash of `ID`. */
let brokers: FakeUpstream[];
let gateway: Harness;

beforeEach(async () => {
  const started = await Promise.all(
    Array.from({ length: MANY }, () => startUpstream((_, socket) => socket.write(MISSING))),
  );
  const order = rendezvous(
    ID,
    started.map(({ hostAndPort }) => hostAndPort),
  );
  brokers = order.flatMap((name) => started.find(({ hostAndPort }) => hostAndPort === name) ?? []);
  gateway = await startHarness();
  see(MANY);
});
afterEach(async () => {
  await gateway.close();
  for (const broker of brokers) await broker.close();
  expect(gateway.errors.lines).toEqual([]);
});

/** Only the first so many Brokers are there. */
function see(count: number): void {
  gateway.cluster.brokers(...brokers.slice(0, count).map(({ origin }) => origin));
}

function ask(request: string): Promise<RawAnswer> {
  const text = JSON.stringify({ request, connectionId: ID });
  return exchangeRaw(
    gateway.port,
    `POST /druid/v2/sql/avatica/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}

const says = (index: number, answer: Buffer): void => {
  const broker = brokers[index];
  if (broker !== undefined) broker.script = (_, socket) => void socket.write(answer);
};

/** How often each was asked since the last time. */
function asked(): number[] {
  return brokers.map(({ requests }) => requests.splice(0).length);
}

describe('a connection that another gateway opened when other Brokers were there', () => {
  test('is found by the next requests in the order of the hash, and remembered', async () => {
    says(2, WELL);
    const answer = await ask('fetch');
    expect([answer.status, answer.json()]).toEqual([200, { response: 'fine' }]);
    expect(asked()).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect((await ask('fetch')).status).toBe(200);
    expect(asked()).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    const [record] = await gateway.recorded(2);
    expect(record).toMatchObject({
      class: 'jdbc',
      status: 200,
      upstream: brokers[2]?.hostAndPort,
      attempts: 3,
    });
  });

  test('is found at a Broker that is not ready here, and behind one that cannot be reached', async () => {
    says(3, WELL);
    const { view } = gateway.cluster;
    const ready = new Set(brokers.slice(4).map(({ hostAndPort }) => hostAndPort));
    gateway.cluster.change({
      brokers: view.brokers.map((broker) => ({ ...broker, ready: ready.has(broker.node.hostAndPort) })),
    });
    await brokers[1]?.close();
    expect((await ask('fetch')).status).toBe(200);
    expect(asked()).toEqual([1, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
    expect(gateway.cluster.reports).toContainEqual([brokers[1]?.hostAndPort, 'connect_failed']);
    brokers.splice(1, 1);
  });

  test('is found when this gateway remembers where it was before that', async () => {
    says(0, WELL);
    expect((await ask('fetch')).status).toBe(200);
    says(0, MISSING);
    says(1, WELL);
    expect((await ask('fetch')).status).toBe(200);
    asked();
    expect((await ask('fetch')).status).toBe(200);
    expect(asked()).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe('a connection that nobody has', () => {
  test('is answered as the first Broker said it, also where the others do not serve', async () => {
    see(3);
    says(1, plain('503 Service Unavailable', ['Content-Type: text/html'], '<html>starting</html>'));
    expect((await ask('fetch')).json()).toMatchObject({ errorCode: 1 });
    expect(asked()).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect(gateway.cluster.reports).toContainEqual([brokers[1]?.hostAndPort, 'unavailable']);
  });

  test('is answered as the first Broker said it, once eight were asked', async () => {
    says(0, plain('500 Server Error', ['X-First: 1'], '{"response":"error","errorCode":1}'));
    const answer = await ask('fetch');
    expect([answer.status, answer.header('x-first')]).toEqual([500, '1']);
    expect(answer.json()).toEqual({ response: 'error', errorCode: 1 });
    expect(asked()).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    const [record] = await gateway.recorded(1);
    expect(record).toMatchObject({ status: 500, upstream: brokers[0]?.hostAndPort });
  });

  test('is answered by the only one that is there, also when all others cannot be reached', async () => {
    see(1);
    expect((await ask('fetch')).status).toBe(500);
    see(3);
    await brokers[1]?.close();
    await brokers[2]?.close();
    expect((await ask('fetch')).json()).toMatchObject({ errorCode: 1 });
    brokers.splice(1, 2);
  });
});

test('any other error is the answer, and so is one that breaks off or is very long', async () => {
  says(0, json({ response: 'error', errorCode: -1, errorMessage: 'NoSuchConnectionException' }, '500 Error'));
  expect((await ask('fetch')).json()).toMatchObject({ errorCode: -1 });
  says(0, plain('500 Server Error', [], 'x'.repeat(100_000)));
  expect((await ask('fetch')).body.length).toBe(100_000);
  const [first] = brokers;
  if (first !== undefined) {
    first.script = (_, socket) => {
      socket.end('HTTP/1.1 500 Server Error\r\nContent-Length: 100\r\n\r\n{"response":"error","errorCode":1');
    };
  }
  expect((await ask('fetch')).status).toBe(502);
  expect(asked()).toEqual([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

describe('what every Broker answers with 200', () => {
  test.each(['closeConnection', 'closeStatement'])(
    '%s goes to the three likeliest where the connection is not known, and to its own where it is',
    async (request) => {
      for (const index of brokers.keys()) says(index, WELL);
      const answer = await ask(request);
      expect([answer.status, answer.json()]).toEqual([200, { response: 'fine' }]);
      expect(asked()).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
      // It proves nothing.
      says(0, MISSING);
      expect((await ask('fetch')).status).toBe(200);
      expect(asked()).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
      expect((await ask(request)).status).toBe(200);
      expect(asked()).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    },
  );

  test.each(['commit', 'rollback', 'databaseProperties'])('%s proves nothing either', async (request) => {
    says(0, WELL);
    expect((await ask(request)).status).toBe(200);
    expect(asked()).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    says(0, MISSING);
    says(1, WELL);
    expect((await ask('fetch')).status).toBe(200);
  });
});
