import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../kit/eventually.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const WAYS = [
  { door: 'express', encrypted: false },
  { door: 'express', encrypted: true },
  { door: 'front', encrypted: false },
  { door: 'front', encrypted: true },
] as const;
const GRACE_MS = 200;
const BODY = '{"query":"x","context":{"sqlQueryId":"q1"}}';

/** A query. */
function sql(version: string, ...lines: string[]): string {
  const head = [`POST /druid/v2/sql HTTP/${version}`, 'Host: a', `Content-Length: ${BODY.length}`, ...lines];
  return `${head.join('\r\n')}\r\n\r\n${BODY}`;
}

const GET_B = 'GET /druid/v2/b HTTP/1.1\r\nHost: a\r\n\r\n';

describe.each(WAYS)('$door door, encrypted $encrypted', ({ door, encrypted }) => {
  let node: FakeUpstream;
  let gateway: Harness;
  /** Answers what the node has been asked. */
  let answer: () => void;
  let client: net.Socket;
  let received: string;

  beforeEach(async () => {
    answer = () => {};
    node = await startUpstream(({ method, target }, socket) => {
      if (method === 'DELETE') socket.write('HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n');
      else answer = () => void socket.write(json({ target }));
    });
    gateway = await startHarness({ door, tls: encrypted, limits: { halfCloseGraceMs: GRACE_MS } });
    gateway.cluster.brokers(node.origin);
    gateway.cluster.lead('coordinator', node.origin);
    const place = { port: gateway.port, host: '127.0.0.1', allowHalfOpen: true };
    client = encrypted ? tls.connect({ ...place, rejectUnauthorized: false }) : net.connect(place);
    client.on('error', () => {});
    received = '';
    client.on('data', (data: Buffer) => {
      received += data.toString('latin1');
    });
    await once(client, encrypted ? 'secureConnect' : 'connect');
  });

  afterEach(async () => {
    client.destroy();
    await gateway.close();
    await node.close();
  });

  test('a pipeline behind a half-close is answered to its end, and watched once for each request under way', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => {
      if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning);
    };
    process.on('warning', onWarning);
    node.script = (_, socket) => socket.write(json('ok'));
    const requests = 60;
    client.end(GET_B.repeat(requests));
    await once(client, 'end');
    process.off('warning', onWarning);
    expect([received.match(/HTTP\/1\.1 200/g)?.length, warnings]).toEqual([requests, []]);
  });

  const asked = (count = 1): Promise<void> => eventually(async () => node.requests.length >= count);
  const cancelled = (): Promise<void> =>
    eventually(async () => node.requests.some(({ method }) => method === 'DELETE'));
  /** Longer than any grace, which is what must not make a difference. */
  const waited = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 3 * GRACE_MS));

  test.each([
    ['HTTP/1.0', sql('1.0')],
    ['Connection: close', sql('1.1', 'Connection: close')],
    ['a connection that would stay', sql('1.1')],
    ['chunks', `${sql('1.1', 'TE: trailers')}`],
    ['a page of the console', 'GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('a client that ends its side behind its request gets the answer: %s', async (_, request) => {
    client.end(request);
    await asked();
    await waited();
    answer();
    await once(client, 'end');
    expect(received).toContain('HTTP/1.1 200 OK');
    expect(received).toContain('"target":"');
    expect(gateway.records).toMatchObject([{ status: 200, end: 'complete' }]);
    expect(node.requests.length).toBe(1);
  });

  test.each([
    ['Connection: close', sql('1.1', 'Connection: close')],
    ['a connection that would stay', sql('1.1')],
    ['what only the front door takes', sql('1.1', 'TE: trailers')],
    [
      'half a request behind it',
      `${sql('1.1')}GET /druid/v2/y HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\na`,
    ],
    ['half a head behind it', `${sql('1.1', 'TE: trailers')}GET /druid/v2/y HTTP/1.1\r\nHo`],
    ['HTTP/1.0 that would stay', sql('1.0', 'Connection: keep-alive')],
  ])('one that has left is noticed, and its query cancelled: %s', async (_, request) => {
    client.write(request);
    await asked();
    client.destroy();
    await cancelled();
    expect(gateway.records[0]).toMatchObject({ end: 'client_gone' });
  });

  test('half a request behind a whole one keeps nobody from its answer', async () => {
    client.end(`${sql('1.1')}GET /druid/v2/y HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\na`);
    await asked();
    await waited();
    answer();
    await once(client, 'end');
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200', 'HTTP/1.1 400']);
  });

  test('requests that wait for their turn are answered, too', async () => {
    client.end(`${sql('1.1')}${GET_B}${GET_B}`);
    for (const count of [1, 2, 3]) {
      await asked(count);
      answer();
    }
    await once(client, 'end');
    expect(received.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });

  test('of one that has left, what waits for its turn is not begun', async () => {
    client.write(`${sql('1.1')}${GET_B}`);
    await asked();
    client.destroy();
    await cancelled();
    expect(node.requests.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
  });

  test('one that leaves in the middle of an answer that has stopped is noticed after the grace', async () => {
    node.script = ({ method }, socket) =>
      void socket.write(
        method === 'DELETE'
          ? 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n'
          : 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf',
      );
    client.write(sql('1.1'));
    await eventually(async () => received.endsWith('half'));
    client.destroy();
    await cancelled();
    expect(gateway.records[0]).toMatchObject({ end: 'client_gone' });
  });

  test.runIf(encrypted)('an end that is not announced is one, too', async () => {
    const wire = net.connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
    const over = tls.connect({ socket: wire, rejectUnauthorized: false });
    over.on('error', () => {});
    await once(over, 'secureConnect');
    over.write(sql('1.1'));
    await asked();
    wire.end();
    await waited();
    answer();
    await eventually(async () => gateway.records.length === 1);
    expect(gateway.records).toMatchObject([{ status: 200, end: 'complete' }]);
    wire.destroy();
  });

  test('a connection on which nothing is asked ends with its client', async () => {
    client.write(sql('1.1'));
    await asked();
    answer();
    await eventually(async () => received.includes('"target"'));
    client.end();
    await once(client, 'end');
  });
});
