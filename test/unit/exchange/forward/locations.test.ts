import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { publicLocation } from '../../../../src/exchange/forward/location-policy.ts';
import { exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

const GATEWAY = 'http://gateway:8888';
const isNode = (origin: string): boolean => origin === 'http://node:8081' || origin === 'https://[::1]:8281';

/** Where a browser would go. */
const followed = (location: string): string => new URL(location, `${GATEWAY}/druid/x`).origin;

describe('a Location without a scheme, or of a node, never leads away from the gateway', () => {
  test.each([
    ['http://node:8081/a?b#c', '/a?b#c'],
    ['http://node:8081', '/'],
    ['HTTP://NODE:8081?x', '/?x'],
    ['http://node:8081//evil.example/x', '/evil.example/x'],
    ['http://node:8081/\\evil.example/x', '/evil.example/x'],
    ['http://node:8081\\\\evil.example/x', '/evil.example/x'],
    ['http://node:8081/\t/evil.example/x', '/evil.example/x'],
    ['http:\\\\node:8081\\/evil.example', '/evil.example'],
    ['http://u:p@node:8081//evil', '/evil'],
    ['//node:8081/a', '/a'],
    ['/\\[::1]:8281/a', '/a'],
    ['//evil.example/x', '/evil.example/x'],
    ['///evil.example/x', '/evil.example/x'],
    ['/\\evil.example/x', '/evil.example/x'],
    ['\\\\evil.example/x', '/evil.example/x'],
    ['\\/evil.example/x', '/evil.example/x'],
    ['/\t/evil.example/x', '/evil.example/x'],
    ['\t//evil.example/x', '/evil.example/x'],
    ['/a//b', '/a//b'],
    ['a/b', 'a/b'],
    ['https://idp.example.com//login', 'https://idp.example.com//login'],
  ])('%j is shown as %j', (location, shown) => {
    expect(publicLocation(location, isNode)).toBe(shown);
  });

  test('many spaces in it take no longer than as many letters', () => {
    const timeOf = (character: string): number => {
      const location = `/a${character.repeat(60_000)}b`;
      const began = performance.now();
      expect(publicLocation(location, isNode)).toBe(location);
      return performance.now() - began;
    };
    timeOf('c');
    // Milliseconds for each; a search from every space takes seconds.
    expect(timeOf(' ')).toBeLessThan(timeOf('c') + 500);
    expect(publicLocation(`${' '.repeat(60_000)}//evil.example/x${'\t '.repeat(1_000)}`, isNode)).toBe(
      '/evil.example/x',
    );
  });

  test('whatever stands in it', () => {
    const piece = fc.constantFrom(
      '/',
      '\\',
      '\t',
      ' ',
      '.',
      '..',
      '%2f',
      '@',
      ':',
      '?',
      '#',
      'evil.example',
      'a',
    );
    const rest = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(
        fc.constantFrom('', 'http://node:8081', 'http:\\\\node:8081/', 'HTTP:/node:8081/'),
        rest,
        (origin, text) => {
          const location = origin + (origin === '' && !/^[/\\\t ]/.test(text) ? `/${text}` : text);
          // Another authority than the node's is its own word for somebody else.
          if (origin !== '' && !/^https?:[/\\]*node:8081(?:[/\\?#\t ]|$)/i.test(location)) return;
          const shown = publicLocation(location, isNode);
          // What names a scheme, says itself where it leads.
          if (/^[a-z][a-z\d+.-]*:/i.test(shown.replace(/[\t ]/g, ''))) return;
          expect([location, shown, URL.canParse(shown, GATEWAY) ? followed(shown) : GATEWAY]).toEqual([
            location,
            shown,
            GATEWAY,
          ]);
        },
      ),
      { numRuns: 10_000 },
    );
  });
});

let leader: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  leader = await startUpstream(() => {});
  gateway = await startHarness({ exchange: { maxWaitMs: 200 } });
  gateway.cluster.lead('coordinator', leader.origin);
  gateway.cluster.brokers(leader.origin);
});

afterEach(async () => {
  await gateway.close();
  await leader.close();
});

async function redirected(status: number, location: string, path: string): Promise<RawAnswer> {
  leader.script = (_, socket) => socket.write(plain(`${status} Elsewhere`, [`Location: ${location}`], ''));
  return exchangeRaw(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
}

const PATHS = ['/druid/coordinator/v1/servers', '/druid/v2/datasources', '/unified-console.html'] as const;

test.each([301, 302, 303, 308])(
  'a login in front of a node is for the client to go to: %i',
  async (status) => {
    const login = 'https://idp.example.com/login?back=%2Fdruid';
    for (const path of PATHS) {
      const answer = await redirected(status, login, path);
      expect([path, answer.status, answer.header('location')]).toEqual([path, status, login]);
    }
    expect(leader.requests).toHaveLength(PATHS.length);
    expect(gateway.cluster.reports.map(([, outcome]) => outcome)).toEqual(['ok', 'ok', 'ok']);
  },
);

test('so is one that answers a write, which is sent once', async () => {
  const login = 'https://idp.example.com/login';
  leader.script = (_, socket) =>
    socket.write(plain('302 Found', [`Location: ${login}`, 'Set-Cookie: a=b'], ''));
  const answer = await exchangeRaw(
    gateway.port,
    'POST /druid/coordinator/v1/rules/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n[]',
  );
  expect([answer.status, answer.header('location'), answer.header('set-cookie')]).toEqual([
    302,
    login,
    'a=b',
  ]);
  expect(leader.requests).toHaveLength(1);
});

test.each([
  [302, 'http://10.1.2.3:8081/x'],
  [303, 'http://[fd00::1]:8081/x'],
  [308, 'http://2130706433:8081/x'],
  [301, 'http://0x7f.1/x'],
  [302, 'http:\\\\10.1.2.3:8081\\x'],
  [307, 'https://idp.example.com/login'],
  [307, 'http://elsewhere/druid/coordinator/v1/servers'],
])('a %i of a master to %s is a 502 that does not show it', async (status, location) => {
  const answer = await redirected(status, location, PATHS[0]);
  expect([answer.status, answer.json().errorCode]).toEqual([502, 'redirect_unknown']);
  expect(answer.header('location')).toBeUndefined();
});

test.each(['//evil.example/x', '/\\evil.example/x', '\t//evil.example/x'])(
  'a node cannot send a client to %j by any status',
  async (location) => {
    for (const status of [201, 301, 302, 307]) {
      for (const path of PATHS) {
        const answer = await redirected(status, location, path);
        expect([status, path, answer.header('location')]).toEqual([status, path, '/evil.example/x']);
      }
    }
  },
);
