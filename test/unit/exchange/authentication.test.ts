import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  node = await startUpstream((_, socket) => socket.write(plain('200 OK', [], '')));
  gateway = await startHarness();
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
  gateway.cluster.lead('overlord', node.origin);
});

afterEach(async () => {
  await gateway.close();
  await node.close();
});

/** One path for each way that a request takes through the gateway. */
const PATHS = [
  'POST /druid/v2/sql',
  'POST /druid/v2/sql/avatica/',
  'DELETE /druid/v2/sql/some-id',
  'GET /druid/coordinator/v1/datasources',
  'POST /druid/indexer/v1/task',
  'GET /status',
  'GET /status/properties',
  'GET /druid/router/v1/brokers',
  'GET /unified-console.html',
] as const;

const TICKET = `Negotiate ${'YIIJvwYGKwYBBQUC'.repeat(200)}==`;
const COOKIES = [
  'hadoop.auth="u=alice&p=alice@EXAMPLE.COM&t=kerberos&e=1700000000000&s=abc+/="; HttpOnly',
  'signedToken=x=y; Path=/; Domain=example.com',
];

function ask(start: string, ...headers: string[]): Promise<RawAnswer> {
  const body = start.startsWith('POST') ? ['Content-Type: application/json', 'Content-Length: 2'] : [];
  const lines = [`${start} HTTP/1.1`, 'Host: gw', ...headers, ...body, '', ''];
  return exchangeRaw(gateway.port, lines.join('\r\n') + (body.length > 0 ? '{}' : ''));
}

const received = (name: string): string[] =>
  node.requests
    .flatMap(({ lines }) => lines)
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim());

describe.each(PATHS)('%s', (start) => {
  test('carries credentials and cookies to the node as they came', async () => {
    await ask(start, `Authorization: ${TICKET}`, 'Cookie: hadoop.auth="u=a&s=b+/="; c=1');
    expect(received('authorization')).toEqual([TICKET]);
    expect(received('cookie')).toEqual(['hadoop.auth="u=a&s=b+/="; c=1']);
  });

  test('adds no credentials of its own', async () => {
    await ask(start);
    expect(node.requests).not.toHaveLength(0);
    for (const name of ['authorization', 'cookie', 'proxy-authorization']) {
      expect(received(name)).toEqual([]);
    }
  });

  test('is refused once and as the node refuses it, every challenge in its own line', async () => {
    const challenges = ['Negotiate', 'Basic realm="druid, all of it"', 'Bearer error="invalid_token"'];
    const headers = [
      ...challenges.map((challenge) => `WWW-Authenticate: ${challenge}`),
      ...COOKIES.map((cookie) => `Set-Cookie: ${cookie}`),
      'Content-Type: text/html',
    ];
    node.script = (_, socket) => socket.write(plain('401 Unauthorized', headers, '<html>no</html>'));
    const answer = await ask(start, `Authorization: ${TICKET}`);
    expect([answer.status, answer.header('content-type')]).toEqual([401, 'text/html']);
    expect(answer.body.toString()).toBe('<html>no</html>');
    expect(answer.headers('set-cookie')).toEqual(COOKIES);
    expect(answer.headers('www-authenticate')).toEqual(challenges);
    expect(node.requests).toHaveLength(1);
    // An answer, and no word against the node.
    const told = gateway.cluster.reports.map(([, outcome]) => outcome);
    expect(told.filter((outcome) => outcome !== 'ok')).toEqual([]);
  });
});
