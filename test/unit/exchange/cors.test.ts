import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CorsOptions, createCorsPolicy } from '../../../src/exchange/cors.ts';
import { exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

/** What a node with a filter for CORS says. */
const OF_NODE = [
  'Access-Control-Allow-Origin: *',
  'access-control-expose-headers: X-Of-Node',
  'X-Of-Node: 1',
];
const BI = 'Origin: https://bi.example.com';
const ASKS = [BI, 'Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: content-type'];
const CORS: CorsOptions = {
  origins: ['https://bi.example.com'],
  methods: ['GET', 'POST'],
  headers: ['Authorization', 'Content-Type'],
  credentials: true,
  maxAgeMs: 600_000,
};

const nodes: FakeUpstream[] = [];
let gateway: Harness;

beforeEach(async () => {
  for (const name of ['broker', 'coordinator', 'overlord']) {
    nodes.push(
      await startUpstream((_, socket) => socket.write(plain('200 OK', [...OF_NODE, `X-Role: ${name}`], ''))),
    );
  }
});

afterEach(async () => {
  await gateway.close();
  for (const node of nodes.splice(0)) await node.close();
});

async function start(options: CorsOptions | null): Promise<void> {
  gateway = await startHarness({ exchange: { cors: options === null ? null : createCorsPolicy(options) } });
  const [broker = '', coordinator = '', overlord = ''] = nodes.map(({ origin }) => origin);
  gateway.cluster.brokers(broker);
  gateway.cluster.lead('coordinator', coordinator);
  gateway.cluster.lead('overlord', overlord);
}

function ask(line: string, ...headers: string[]): Promise<RawAnswer> {
  return exchangeRaw(gateway.port, [`${line} HTTP/1.1`, 'Host: gw', ...headers, '', ''].join('\r\n'));
}

const seen = (): string[] =>
  nodes.flatMap((node) => node.requests.map(({ method, target }) => `${method} ${target}`));

describe('without configuration', () => {
  beforeEach(() => start(null));

  test.each([
    ['/druid/v2/sql', 'broker', '/druid/v2/sql'],
    ['/druid/v2/sql/some-id', 'broker', '/druid/v2/sql/some-id'],
    ['/druid/v2/sql/avatica/', 'broker', '/druid/v2/sql/avatica/'],
    ['/druid/v1/lookups/x', 'broker', '/druid/v1/lookups/x'],
    ['/status', 'broker', '/status'],
    ['/druid/coordinator/v1/config?x=y', 'coordinator', '/druid/coordinator/v1/config?x=y'],
    ['/proxy/coordinator/druid/coordinator/v1/x', 'coordinator', '/druid/coordinator/v1/x'],
    ['/druid/indexer/v1/task', 'overlord', '/druid/indexer/v1/task'],
    ['/unified-console.html', 'coordinator', '/unified-console.html'],
  ])('the preflight of %s is answered by the %s, once, without credentials', async (path, role, target) => {
    const answer = await ask(`OPTIONS ${path}`, ...ASKS);
    expect([answer.status, answer.header('x-role')]).toEqual([200, role]);
    for (const line of OF_NODE) expect(answer.lines).toContain(line);
    expect(seen()).toEqual([`OPTIONS ${target}`]);
    const [request] = nodes.flatMap(({ requests }) => requests);
    expect(request?.lines).toEqual(expect.arrayContaining(ASKS));
  });

  test.each([
    ['/druid/listen/v1/x', 404],
    ['/nowhere', 404],
    ['/druid/v2/../x', 400],
    ['/proxy/enabled', 204],
    ['/status/health', 204],
    ['*', 204],
  ])('no node is asked about %s', async (target, status) => {
    const answer = await ask(`OPTIONS ${target}`, ...ASKS);
    expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([status, undefined]);
    expect(seen()).toEqual([]);
  });

  test('OPTIONS that is no preflight is answered here', async () => {
    expect((await ask('OPTIONS /druid/v2/sql', BI)).status).toBe(204);
    expect(seen()).toEqual([]);
  });

  test("what a node says besides is handed on, the console's node too", async () => {
    for (const line of ['GET /druid/v2/datasources', 'GET /unified-console.html']) {
      const answer = await ask(line, BI);
      expect(answer.header('access-control-allow-origin')).toBe('*');
      expect(answer.header('access-control-expose-headers')).toBe('X-Of-Node');
    }
  });
});

describe('by configuration', () => {
  test('a preflight is answered here, in full to an origin that is allowed, and without a word to others', async () => {
    await start(CORS);
    const allowed = await ask('OPTIONS /druid/v2/sql', ...ASKS);
    expect([allowed.status, ...allowed.lines.filter((line) => /^(?:access|vary)/i.test(line))]).toEqual([
      204,
      'Access-Control-Allow-Origin: https://bi.example.com',
      'Vary: Origin',
      'Access-Control-Allow-Credentials: true',
      'Access-Control-Allow-Methods: GET, POST',
      'Access-Control-Allow-Headers: Authorization, Content-Type',
      'Access-Control-Max-Age: 600',
    ]);
    for (const origin of ['Origin: https://evil.example', 'Origin: null', 'X: y']) {
      const refused = await ask('OPTIONS /druid/v2/sql', origin, ...ASKS.slice(1));
      expect(refused.lines.filter((line) => /^access/i.test(line))).toEqual([]);
    }
    expect(seen()).toEqual([]);
  });

  test.each([
    'GET /druid/v2/datasources',
    'GET /druid/coordinator/v1/datasources',
    'GET /status/health',
    'GET /nowhere',
    'GET /unified-console.html',
  ])('every answer has the headers of the configuration, and none of a node: %s', async (line) => {
    await start(CORS);
    const cors = async (origin: string): Promise<string[]> =>
      (await ask(line, origin)).lines
        .filter((header) => /^(?:access|vary)/i.test(header))
        .map((h) => h.toLowerCase());
    expect(await cors(BI)).toEqual([
      'access-control-allow-origin: https://bi.example.com',
      'vary: origin',
      'access-control-allow-credentials: true',
    ]);
    expect(await cors('Origin: https://evil.example')).toEqual(['vary: origin']);
    expect(await cors('X: y')).toEqual(['vary: origin']);
  });

  test('* is said as it is, and without credentials', async () => {
    await start({ ...CORS, origins: ['*'], credentials: false });
    const answer = await ask('GET /druid/v2/datasources', 'Origin: https://any.example');
    expect(answer.lines.filter((line) => /^(?:access|vary)/i.test(line))).toEqual([
      'Access-Control-Allow-Origin: *',
    ]);
  });
});
