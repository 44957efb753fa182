import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CancelAnswer, mergeCancels } from '../../../../src/exchange/druid/cancel-request.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let brokers: FakeUpstream[];
let gateway: Harness;

const ACCEPTED = plain('202 Accepted', [], '');
const NOT_HERE = plain('404 Not Found', [], '');
const FORBIDDEN = plain('403 Forbidden', ['Content-Type: application/json'], '{"error":"forbidden"}');

beforeEach(async () => {
  brokers = await Promise.all([1, 2, 3].map(() => startUpstream((_, socket) => socket.write(NOT_HERE))));
  gateway = await startHarness();
  gateway.cluster.brokers(...brokers.map(({ origin }) => origin));
});

afterEach(async () => {
  await gateway.close();
  for (const broker of brokers) await broker.close();
});

const cancel = (id = 'q-1'): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, `DELETE /druid/v2/sql/${id} HTTP/1.1\r\nHost: a\r\n\r\n`);
const asked = (): number[] => brokers.map(({ requests }) => requests.length);

/** What the i-th Broker answers; null is nothing at all. */
function says(...answers: (Buffer | null)[]): void {
  for (const [i, answer] of answers.entries()) {
    const broker = brokers[i];
    if (broker !== undefined) broker.script = (_, socket) => void (answer !== null && socket.write(answer));
  }
}

describe('a cancel of a query that nobody is known to run', () => {
  test('is 202 if any Broker says so, and asks all to the end', async () => {
    says(NOT_HERE, ACCEPTED, FORBIDDEN);
    const answer = await cancel();
    expect([answer.status, answer.body.length]).toEqual([202, 0]);
    while (asked().join() !== '1,1,1') await new Promise((resolve) => setTimeout(resolve, 1));
  });

  test('is 403 as Druid said it if any says so', async () => {
    says(NOT_HERE, FORBIDDEN, NOT_HERE);
    const answer = await cancel();
    expect([answer.status, answer.body.toString()]).toEqual([403, '{"error":"forbidden"}']);
  });

  test('is 404 if all say so', async () => {
    expect((await cancel()).status).toBe(404);
    expect(asked()).toEqual([1, 1, 1]);
  });

  test.each(['x'.repeat(257), '%ED%A0%80', '%C2%9B', 'a/b', 'dart/a/b'])(
    'is refused where %j is no id, and nobody is asked',
    async (id) => {
      const answer = await cancel(id);
      expect([answer.status, answer.json().errorCode]).toEqual([400, 'target_malformed']);
      expect(asked()).toEqual([0, 0, 0]);
    },
  );

  test.each(['/druid/v2/a', '/druid/v2/a/', '/druid/v2/sql/a', '/druid/v2/sql/dart/a', '/druid/v2/a?pretty'])(
    'goes to all as %s',
    async (target) => {
      expect((await exchangeRaw(gateway.port, `DELETE ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).status).toBe(
        404,
      );
      expect(brokers.map(({ requests }) => requests[0]?.target)).toEqual(Array(3).fill(target));
    },
  );

  test('is 504 within five seconds if one hangs', async () => {
    says(NOT_HERE, null, NOT_HERE);
    const began = performance.now();
    const answer = await cancel();
    expect([answer.status, answer.json().errorCode]).toEqual([504, 'cancel_unknown']);
    expect(answer.json().errorMessage).toMatch(/^1 of 3 Brokers/);
    expect(performance.now() - began).toBeLessThan(5_500);
  });

  test('is 202 at once if one hangs and another one says so', async () => {
    says(null, ACCEPTED, NOT_HERE);
    const began = performance.now();
    expect((await cancel()).status).toBe(202);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test('goes on when its client leaves', async () => {
    const client = await connectRaw(gateway.port);
    client.send('DELETE /druid/v2/q-1 HTTP/1.1\r\nHost: a\r\n\r\n');
    client.close();
    while (asked().join() !== '1,1,1') await new Promise((resolve) => setTimeout(resolve, 1));
  });
});

describe('a cancel of a query that is known to run', () => {
  async function run(lines: string, body: string, head: string): Promise<void> {
    says(null, null, null);
    const client = await connectRaw(gateway.port);
    brokers[0]?.requests.splice(0);
    const [first] = brokers;
    if (first !== undefined) first.script = (_, socket) => void socket.write(head);
    client.send(
      `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    while (gateway.runningQueries.size === 0 || brokers[0]?.requests.length !== 1) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (const broker of brokers) broker.requests.splice(0);
    says(ACCEPTED, ACCEPTED, ACCEPTED);
  }

  test.each([
    ['by its body', '{"query":"SELECT 1","context":{"sqlQueryId":"q-1"}}', ''],
    [
      'by its answer',
      '{"query":"SELECT 1"}',
      'HTTP/1.1 200 OK\r\nX-Druid-SQL-Query-Id: q-1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
  ])('%s asks the Broker that runs it and nobody else', async (_, body, head) => {
    await run('', body, head);
    expect((await cancel()).status).toBe(202);
    expect(asked()).toEqual([1, 0, 0]);
  });

  test('asks the others as well if that one does not say 202', async () => {
    await run('', '{"query":"SELECT 1","context":{"queryId":"q-1"}}', '');
    says(NOT_HERE, NOT_HERE, NOT_HERE);
    expect((await cancel()).status).toBe(404);
    expect(asked()).toEqual([1, 1, 1]);
  });

  test('a query that has ended is forgotten', async () => {
    says(plain('200 OK', ['X-Druid-Query-Id: q-1'], 'ok'));
    const body = '{"context":{"sqlQueryId":"q-1234"}}';
    await exchangeRaw(
      gateway.port,
      `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await gateway.recorded(1);
    expect(gateway.runningQueries.size).toBe(0);
  });
});

test('without any Broker it is a 503', async () => {
  gateway.cluster.brokers();
  expect((await cancel()).status).toBe(503);
});

test('merging: 202 over 403 over 504 over 404, whatever the order', () => {
  const answers = fc.array(fc.constantFrom(202, 403, 404, 500, null), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(answers, (statuses) => {
      const merged = mergeCancels(
        statuses.map((status): CancelAnswer | null =>
          status === null ? null : { status, headers: '', hasDate: false, body: Buffer.alloc(0) },
        ),
      );
      const status = typeof merged === 'string' ? merged : merged.status;
      if (statuses.includes(202)) expect(status).toBe(202);
      else if (statuses.includes(403)) expect(status).toBe(403);
      else if (statuses.every((each) => each === 404)) expect(status).toBe(404);
      else expect(status).toBe('unknown');
    }),
  );
});

describe('JDBC', () => {
  const avatica = (body: object): Promise<RawAnswer> => {
    const text = JSON.stringify(body);
    return exchangeRaw(
      gateway.port,
      `POST /druid/v2/sql/avatica/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
    );
  };

  beforeEach(() => {
    for (const broker of brokers) {
      broker.script = (_, socket) => socket.write(plain('200 OK', [], broker.hostAndPort));
    }
  });

  test('all requests of a connection go to one Broker, also when it is cordoned or others come', async () => {
    const connection = { connectionId: 'c-1' };
    const own = (await avatica({ request: 'openConnection', ...connection })).body.toString();
    const late = await startUpstream((_, socket) => socket.write(plain('200 OK', [], 'late')));
    brokers.push(late);
    gateway.cluster.brokers(...brokers.map(({ origin }) => origin));
    const view = gateway.cluster.view;
    gateway.cluster.change({
      brokers: view.brokers.map((broker) => ({ ...broker, ready: broker.node.hostAndPort !== own })),
    });
    for (let i = 0; i < 20; i++) {
      const fetched = { request: 'fetch', ...connection, statementId: 1 };
      expect((await avatica(fetched)).body.toString()).toBe(own);
      const executed = { request: 'execute', statementHandle: { ...connection, id: 1 } };
      expect((await avatica(executed)).body.toString()).toBe(own);
    }
  });

  test('a connection whose Broker is gone goes on with the next one, which says what it does not know', async () => {
    const connection = { request: 'openConnection', connectionId: 'c-2' };
    const own = (await avatica(connection)).body.toString();
    const lost = brokers.findIndex(({ hostAndPort }) => hostAndPort === own);
    await brokers[lost]?.close();
    const next = (await avatica({ request: 'fetch', connectionId: 'c-2' })).body.toString();
    expect(next).not.toBe(own);
    expect((await avatica({ request: 'fetch', connectionId: 'c-2' })).body.toString()).toBe(next);
    brokers.splice(lost, 1);
  });

  test('connections are spread over the Brokers', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) {
      seen.add((await avatica({ request: 'openConnection', connectionId: `c-${i}` })).body.toString());
    }
    expect(seen.size).toBe(3);
  });
});

test('the cancel of a query whose client has left is over with the head of its answer', async () => {
  const [broker] = brokers;
  if (broker === undefined) throw new Error('there is no Broker');
  gateway.cluster.brokers(broker.origin);
  broker.script = ({ method }, socket) => {
    if (method === 'DELETE') {
      socket.write('HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n');
      const timer = setInterval(() => socket.write('1\r\nx\r\n'), 20);
      socket.once('close', () => clearInterval(timer));
    }
  };
  const body = '{"query":"x","context":{"sqlQueryId":"q-1"}}';
  const client = await connectRaw(gateway.port);
  client.send(`POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  while (broker.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  client.close();
  while (broker.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  while (broker.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(gateway.cluster.node(broker.origin).outstanding).toBe(0);
});
