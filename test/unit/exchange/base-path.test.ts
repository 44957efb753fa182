import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withBasePath } from '../../../src/exchange/base-path.ts';
import { createRedirectPolicy } from '../../../src/routing/redirect/redirect-policy.ts';
import { exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { SPELLINGS } from '../../kit/clients/spellings.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const BASE = '/druid-prod';
const HOST = 'gw.example.com:8888';

describe('places in an answer', () => {
  const ASKED = { target: '/druid-prod/druid/v2/datasources?x=1', host: HOST };
  const location = (text: string, name = 'Location'): string =>
    withBasePath(`A: 1\r\n${name}: ${text}\r\nB: 2\r\n`, BASE, ASKED).slice(6 + name.length + 2, -8);

  test.each([
    ['/unified-console.html', '/druid-prod/unified-console.html'],
    ['/', '/druid-prod/'],
    ['/?a=b#c', '/druid-prod/?a=b#c'],
    // A node does not know the base path: this is a path of its own.
    ['/druid-prod/x', '/druid-prod/druid-prod/x'],
    ['http://gw.example.com:8888/x?y', 'http://gw.example.com:8888/druid-prod/x?y'],
    ['HTTPS://GW.example.com:8888', 'https://gw.example.com:8888/druid-prod/'],
    ['http://gw.example.com:8888/druid-prod/x', 'http://gw.example.com:8888/druid-prod/x'],
    ['http://gw.example.com:8888/druid-prod?x', 'http://gw.example.com:8888/druid-prod?x'],
    ['http://gw.example.com:8888/druid-production', 'http://gw.example.com:8888/druid-prod/druid-production'],
    ['http://gw.example.com:8889/x', 'http://gw.example.com:8889/x'],
    ['https://idp.example.com/login?back=/', 'https://idp.example.com/login?back=/'],
    ['mailto:a@b', 'mailto:a@b'],
    ['', ''],
    ['other', 'other'],
    ['?page=2', '?page=2'],
    ['#there', '#there'],
    ['../sql', '../sql'],
    ['../../../../x?y=/../#z', '/druid-prod/x?y=/../#z'],
    ['..\\..\\..\\x', '/druid-prod/x'],
    ['%2e%2E/%2e./../x', '/druid-prod/x'],
  ])('%j becomes %j', (given, expected) => {
    expect(location(given)).toBe(expected);
    expect(location(given, 'content-location')).toBe(expected);
  });

  test('however a place is written, it leads to where it would without a base path, below it', () => {
    const piece = fc.constantFrom('/', '..', '.', '%2e', 'a', '?', '#', '..', 'druid-prod', ':', '%', '\\');
    const gateway = 'http://gateway';
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join('')),
        (text) => {
          // Two slashes name a host; publicLocation has taken them away.
          if (/^[/\\]{2}|^\\/.test(text) || !URL.canParse(text, `${gateway}/druid/v2`)) return;
          const asked = { target: '/druid-prod/druid/v2', host: 'gw' };
          const [, shown = ''] =
            /^Location: (.*)\r\n$/s.exec(withBasePath(`Location: ${text}\r\n`, BASE, asked)) ?? [];
          const meant = new URL(text, `${gateway}/druid/v2`);
          const led = new URL(shown, `${gateway}/druid-prod/druid/v2`);
          const place = ({ pathname, search, hash }: URL): string => pathname + search + hash;
          expect([text, led.origin, place(led)]).toEqual([
            text,
            meant.origin,
            meant.origin === gateway ? BASE + place(meant) : place(meant),
          ]);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ['a=b; Path=/', 'a=b; Path=/druid-prod/'],
    ['a=b;path=/druid;HttpOnly; Secure', 'a=b;path=/druid-prod/druid;HttpOnly; Secure'],
    ['a=/; Secure; PATH = /x ; SameSite=Lax', 'a=/; Secure; PATH = /druid-prod/x ; SameSite=Lax'],
    ['a=b; Path=/a; Path=/b', 'a=b; Path=/druid-prod/a; Path=/druid-prod/b'],
    ['a=b', 'a=b'],
    ['a=path=/; Secure', 'a=path=/; Secure'],
    ['a=b; Path=', 'a=b; Path='],
    ['a=b; Path=x', 'a=b; Path=x'],
    ['a=b; Paths=/', 'a=b; Paths=/'],
    ['__Host-a=b; Path=/; Secure', '__Host-a=b; Path=/; Secure'],
  ])('the cookie %j becomes %j', (cookie, expected) => {
    const block = `Set-Cookie: ${cookie}\r\nset-cookie: ${cookie}\r\n`;
    expect(withBasePath(block, BASE, ASKED)).toBe(`Set-Cookie: ${expected}\r\nset-cookie: ${expected}\r\n`);
  });

  test('all else is as it was', () => {
    const headers = 'X-Location: /a\r\nLink: </a>\r\nCookie: a; Path=/\r\nLocations: /\r\n';
    expect(withBasePath(headers, BASE, ASKED)).toBe(headers);
    expect(withBasePath(`${headers}Location: /\r\n`, BASE, ASKED)).toBe(
      `${headers}Location: /druid-prod/\r\n`,
    );
  });
});

describe('a gateway below a base path', () => {
  let node: FakeUpstream;
  let gateway: Harness;

  /** Every node is one and the same. */
  async function begin(options: HarnessOptions = {}): Promise<Harness> {
    const started = await startHarness({
      ...options,
      exchange: { basePath: BASE, maxWaitMs: 300, ...options.exchange },
    });
    for (const role of ['coordinator', 'overlord'] as const) started.cluster.lead(role, node.origin);
    started.cluster.brokers(node.origin);
    return started;
  }

  beforeEach(async () => {
    node = await startUpstream((_, socket) => socket.write(json({})));
  });
  afterEach(async () => {
    await gateway.close();
    await node.close();
  });

  const ask = (target: string, method = 'GET', port = gateway.port, host = HOST): Promise<RawAnswer> =>
    exchangeRaw(
      port,
      `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nX-Request-Id: same\r\nConnection: close\r\n\r\n`,
    );

  test('each answer is the one at the root, and nodes get the same', async () => {
    gateway = await begin();
    const atRoot = await begin({ exchange: { basePath: '' } });
    const spelled = Object.values(SPELLINGS).flatMap((spelling) => [
      `/${spelling('druid-internal')}/v1/segments`,
      `/druid/indexer/v1/${spelling('action')}`,
      `/druid/v2/${spelling('sql')}`,
      `/proxy/overlord/druid/${spelling('worker')}/v1/disable`,
    ]);
    const targets = [
      ...[
        '/',
        '/?a',
        '/unified-console.html',
        '/public/a%20b.js?x=%2F',
        '/status',
        '/status/health',
        '/proxy/enabled',
      ],
      ...[
        '/druid/v2/datasources?full',
        '/druid/router/v1/brokers',
        '/status/properties',
        '/proxy/coordinator/status',
      ],
      ...[
        '//',
        '//druid/v2',
        '/..',
        '/../druid/v2',
        '/%2e%2e/druid/v2',
        '/;/druid',
        '/nowhere',
        '/druid-prod/status',
      ],
      ...['/druid/v2/sql/avatica/', '/druid/coordinator/v1/cluster/broker', '/old-console.html'],
      ...spelled,
    ];
    const told = async (port: number, target: string, method: string): Promise<unknown> => {
      node.requests.length = 0;
      const answer = await ask(target, method, port);
      const seen = node.requests.map((request) => `${request.method} ${request.target}`);
      const lines = answer.lines.filter((line) => !/^(?:date|connection):/i.test(line));
      return [answer.status, lines, answer.body.toString('latin1'), seen];
    };
    for (const target of targets) {
      for (const method of ['GET', 'DELETE', 'OPTIONS']) {
        const below = await told(gateway.port, BASE + target, method);
        expect([method, target, below]).toEqual([method, target, await told(atRoot.port, target, method)]);
      }
    }
    await atRoot.close();
  });

  test('nothing outside reaches a node, and the answer tells what to do', async () => {
    gateway = await begin();
    for (const target of [
      '/',
      '/druid/v2/datasources',
      '/status/health',
      '/druid-prodX/druid/v2',
      '/druid-prod%2Fdruid/v2',
    ]) {
      const answer = await ask(target);
      expect([target, answer.status, answer.json().errorCode]).toEqual([target, 404, 'path_outside_base']);
      expect(answer.json().errorMessage).toContain('begin with /druid-prod/, and a proxy in front');
    }
    for (const target of ['//druid-prod/druid/v2/datasources', '/x/../druid-prod/druid/v2/datasources']) {
      expect([target, (await ask(target)).status]).toEqual([target, 400]);
    }
    expect(node.requests).toEqual([]);
    const records = await gateway.recorded(7);
    expect(records.map(({ role }) => role)).toEqual(Array(7).fill('refused'));
  });

  test('the base path alone leads to its slash, with the query', async () => {
    gateway = await begin();
    for (const method of ['GET', 'HEAD']) {
      for (const query of ['', '?', '?a=b%2Fc&d']) {
        const answer = await ask(BASE + query, method);
        expect([method, answer.status, answer.header('location')]).toEqual([
          method,
          302,
          `/druid-prod/${query}`,
        ]);
      }
    }
    expect((await ask(BASE, 'POST')).status).toBe(405);
    expect((await ask(BASE, 'OPTIONS')).header('allow')).toBe('GET, HEAD, OPTIONS');
    expect(node.requests).toEqual([]);
  });

  test('a target in absolute-form is below the base path by its path', async () => {
    gateway = await begin();
    expect((await ask(`http://${HOST}/druid-prod/druid/v2/datasources`)).status).toBe(200);
    expect((await ask(`http://${HOST}/druid/v2/datasources`)).status).toBe(404);
    expect((await ask(`http://${HOST}`)).status).toBe(404);
    expect((await ask('*', 'OPTIONS')).status).toBe(204);
    expect(node.requests.map(({ target }) => target)).toEqual(['/druid/v2/datasources']);
  });

  test('a node that names itself, a path or the gateway, and its cookies, are seen below the base path', async () => {
    gateway = await begin();
    const cases = [
      [
        '/old-console.html',
        `http://${node.hostAndPort}/unified-console.html`,
        '/druid-prod/unified-console.html',
      ],
      ['/druid/coordinator/v1/x', '/unified-console.html', '/druid-prod/unified-console.html'],
      ['/druid/v2/x', `http://${HOST}/y`, `http://${HOST}/druid-prod/y`],
      ['/druid/v2/x', '//elsewhere/y', '/druid-prod/elsewhere/y'],
      ['/druid/v2/x', 'https://idp.example.com/login', 'https://idp.example.com/login'],
    ] as const;
    for (const [path, given, expected] of cases) {
      node.script = (_, socket) =>
        socket.write(
          plain(
            '302 Found',
            [
              `Location: ${given}`,
              `Content-Location: ${given}`,
              'Set-Cookie: a=b; Path=/',
              'Set-Cookie: c=d',
            ],
            '',
          ),
        );
      const answer = await ask(BASE + path);
      expect([answer.header('location'), answer.header('content-location')]).toEqual([expected, expected]);
      expect(answer.headers('set-cookie')).toEqual(['a=b; Path=/druid-prod/', 'c=d']);
    }
  });

  test('a node that clients are redirected to has no base path', async () => {
    const mode = 'redirect' as const;
    gateway = await begin({
      redirectPolicy: createRedirectPolicy({
        mode: { coordinator: mode, overlord: mode, broker: mode },
        methods: ['GET'],
        clients: [],
        addresses: [{ from: '*', to: 'https://node.example.com' }],
      }),
    });
    const answer = await ask('/druid-prod/druid/v2/datasources?full');
    expect([answer.status, answer.header('location')]).toEqual([
      307,
      'https://node.example.com/druid/v2/datasources?full',
    ]);
    // Where the node is known by the gateway's own name, clients come back here.
    const back = await ask('/druid-prod/druid/v2/datasources', 'GET', gateway.port, 'node.example.com');
    expect(back.header('location')).toBe('https://node.example.com/druid-prod/druid/v2/datasources');
  });

  test('a master that does not lead is known by the path without the base path', async () => {
    gateway = await begin();
    node.script = ({ target }, socket) =>
      socket.write(
        node.requests.length === 1
          ? plain('307 Temporary Redirect', [`Location: http://elsewhere:8081${target}`], '')
          : json({ led: true }),
      );
    const asked = ask('/druid-prod/druid/coordinator/v1/servers');
    while (gateway.waitQueue.waiting('coordinator') === 0)
      await new Promise((resolve) => setTimeout(resolve, 2));
    gateway.cluster.lead('coordinator', node.origin);
    expect((await asked).json()).toEqual({ led: true });
  });

  test('the record has the path that came', async () => {
    gateway = await begin();
    await ask('/druid-prod/druid/v2/datasources?x');
    await ask('/druid-prod/unified-console.html');
    await ask('/elsewhere');
    const records = await gateway.recorded(3);
    expect(records.map(({ path, role }) => [path, role])).toEqual([
      ['/druid-prod/druid/v2/datasources', 'broker'],
      ['/druid-prod/unified-console.html', 'console'],
      ['/elsewhere', 'refused'],
    ]);
  });

  test('a cancel goes to the Broker of its query', async () => {
    gateway = await begin();
    node.script = (_, socket) => socket.write(plain('202 Accepted', [], ''));
    const answer = await ask('/druid-prod/druid/v2/sql/an%2Fid', 'DELETE');
    expect([answer.status, node.requests.map(({ target }) => target)]).toEqual([
      202,
      ['/druid/v2/sql/an%2Fid'],
    ]);
  });
});
