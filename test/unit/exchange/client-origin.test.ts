import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientOrigin } from '../../../src/exchange/client-origin.ts';
import { forwardedHead } from '../../../src/exchange/forwarded-head.ts';
import type { ClientOrigin, ForwardingPolicy } from '../../../src/exchange/ports/client-origin.ts';
import { blockOf, flatOf } from '../../../src/http/header-block.ts';
import { readRequestFields } from '../../../src/http/request-fields.ts';
import { createAddressSet } from '../../../src/net/address-set.ts';

const PEER = '10.0.0.1';
const networks = createAddressSet(['10.0.0.0/8', 'fd00::/8']);

function head(flat: readonly string[], remoteAddress = PEER): Parameters<typeof clientOrigin>[0] {
  const block = blockOf(['Host', 'gw:8888', ...flat]);
  const fields = readRequestFields(block);
  const ends = { remoteAddress, encrypted: false, certificateName: null, httpMinor: 1, receivedAt: 0 };
  return { id: 'r', method: 'GET', target: '/', block, fields, ...ends };
}

function origin(flat: readonly string[], policy: Partial<ForwardingPolicy> = {}, peer = PEER): ClientOrigin {
  return clientOrigin(head(flat, peer), {
    trusts: networks,
    forwardedHeader: 'x-forwarded-for',
    ...policy,
  });
}

const byHops = (count: number): Partial<ForwardingPolicy> => ({ trusts: (_, hop) => hop < count });
const told = (...lists: string[]): string[] => lists.flatMap((list) => ['X-Forwarded-For', list]);

describe('the client is the first hop from the right that is no proxy of ours', () => {
  test.each([
    ['a stranger who tells of others', told('10.9.9.9'), '192.0.2.7', '192.0.2.7'],
    ['one proxy', told('203.0.113.7'), '203.0.113.7', '203.0.113.7, 10.0.0.1'],
    ['what the client wrote in front', told('10.1.1.1, 203.0.113.7'), '203.0.113.7', '203.0.113.7, 10.0.0.1'],
    [
      'the same in a line of its own',
      told('10.1.1.1', '203.0.113.7'),
      '203.0.113.7',
      '203.0.113.7, 10.0.0.1',
    ],
    ['two proxies', told('1.1.1.1, 203.0.113.7, 10.0.0.2'), '203.0.113.7', '203.0.113.7, 10.0.0.2, 10.0.0.1'],
    ['none but proxies', told('10.0.0.3, 10.0.0.2'), '10.0.0.3', '10.0.0.3, 10.0.0.2, 10.0.0.1'],
    ['nobody', [], PEER, PEER],
    ['empty entries', told(' ,, 203.0.113.7 , '), '203.0.113.7', '203.0.113.7, 10.0.0.1'],
    ['an entry that is no address', told('10.9.9.9, unknown'), PEER, PEER],
    ['one behind a proxy', told('10.9.9.9, _x, 10.0.0.2'), '10.0.0.2', '10.0.0.2, 10.0.0.1'],
    ['an octal address', told('10.9.9.9, 010.0.0.2'), PEER, PEER],
    ['an address with a port', told('10.9.9.9, 203.0.113.7:4711'), '203.0.113.7', '203.0.113.7, 10.0.0.1'],
    ['IPv6 in brackets', told('10.9.9.9, [2001:DB8::7]:4711'), '2001:db8::7', '2001:db8::7, 10.0.0.1'],
    ['IPv6 in another spelling', told('2001:db8:0:0:0:0:0:7'), '2001:db8::7', '2001:db8::7, 10.0.0.1'],
    [
      'IPv4 in IPv6',
      told('1.1.1.1, 203.0.113.7, ::ffff:a00:2'),
      '203.0.113.7',
      /^203\.0\.113\.7, 10\.0\.0\.2, /,
    ],
    ['an IPv6 proxy', told('203.0.113.7, fd00::1'), '203.0.113.7', '203.0.113.7, fd00::1, 10.0.0.1'],
    ['an address with a zone', told('10.9.9.9, fe80::1%eth0'), PEER, PEER],
  ])('%s', (name, flat, address, path) => {
    const found = origin(flat, {}, name.includes('stranger') ? '192.0.2.7' : PEER);
    expect(found.address).toBe(address);
    expect(found.path).toEqual(typeof path === 'string' ? path : expect.stringMatching(path));
  });

  test.each([
    [1, '203.0.113.7, 198.51.100.2', '198.51.100.2'],
    [2, '203.0.113.7, 198.51.100.2', '203.0.113.7'],
    [2, '10.9.9.9, 203.0.113.7, 198.51.100.2', '203.0.113.7'],
    [3, '203.0.113.7', '203.0.113.7'],
    [1, '', '192.0.2.1'],
  ])('with %i proxies in front, whatever their addresses: %s', (hops, list, address) => {
    expect(origin(told(list), byHops(hops), '192.0.2.1').address).toBe(address);
  });

  test('whatever a client writes in front of what its proxy writes changes nothing', () => {
    const text = fc.oneof(
      fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/),
      fc.constantFrom(
        '10.0.0.9',
        '"',
        'for="',
        '10.0.0.9, 10.0.0.8',
        '\\"',
        'for=10.0.0.9;by="',
        ',,',
        '[::',
      ),
    );
    fc.assert(
      fc.property(text, fc.boolean(), (front, apart) => {
        const lists = apart ? [front, '203.0.113.7'] : [`${front}, 203.0.113.7`];
        expect(origin(told(...lists))).toEqual(origin(told('203.0.113.7')));
        const elements = lists.map((list) => list.replace(/203\.0\.113\.7$/, 'for=203.0.113.7;proto=https'));
        const policy = { forwardedHeader: 'forwarded' } as const;
        const flat = elements.flatMap((list) => ['Forwarded', list]);
        expect(origin(flat, policy).address).toBe('203.0.113.7');
        expect(origin(flat, policy).proto).toBe('https');
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('Forwarded', () => {
  const forwarded = (value: string, policy: Partial<ForwardingPolicy> = {}): ClientOrigin =>
    origin(['Forwarded', value], policy);

  test.each([
    [
      'for=10.9.9.9, for=203.0.113.7;proto=https;host=druid.example.com',
      '203.0.113.7',
      'https',
      'druid.example.com',
    ],
    ['For="[2001:db8::7]:4711" ; HOST="a:1"', '2001:db8::7', 'http', 'a:1'],
    ['for=203.0.113.7;proto=https;host=a, for=10.0.0.2;proto=http;host=b', '203.0.113.7', 'https', 'a'],
    ['for=203.0.113.7;host="a\\"b"', '203.0.113.7', 'http', 'gw:8888'],
    ['for=203.0.113.7;proto=javascript', '203.0.113.7', 'http', 'gw:8888'],
    ['for=203.0.113.7;host="a\\",b";by="x, y"', '203.0.113.7', 'http', 'gw:8888'],
    ['for=1.1.1.1, for=203.0.113.7;by="x\\\\"', '203.0.113.7', 'http', 'gw:8888'],
    ['for=unknown', PEER, 'http', 'gw:8888'],
    ['for=_hidden;proto=https', PEER, 'https', 'gw:8888'],
    ['for=203.0.113.7;for=10.9.9.9', PEER, 'http', 'gw:8888'],
    ['nonsense', PEER, 'http', 'gw:8888'],
  ])('%s', (value, address, proto, host) => {
    expect(forwarded(value)).toMatchObject({ address, proto, host });
  });

  test('counts only where there is no X-Forwarded-For, or alone where it is said to', () => {
    const both = [...told('203.0.113.7'), 'Forwarded', 'for=198.51.100.2'];
    expect(origin(both).address).toBe('203.0.113.7');
    expect(origin(both, { forwardedHeader: 'forwarded' }).address).toBe('198.51.100.2');
    expect(origin(told('10.9.9.9'), { forwardedHeader: 'forwarded' }).address).toBe(PEER);
  });
});

test('what the node hears is one story: addresses, scheme and host that were judged, and no Forwarded', () => {
  const sent = [
    ...told('10.9.9.9, 203.0.113.7'),
    ...[
      'X-Forwarded-Proto',
      'http, HTTPS',
      'X-Forwarded-Host',
      'evil',
      'X-Forwarded-Host',
      'druid.example.com',
    ],
    ...['Forwarded', 'for=10.9.9.9', 'X-Forwarded-Port', '443'],
  ];
  const request = head(sent);
  const policy = { trusts: networks, forwardedHeader: 'x-forwarded-for' } as const;
  expect(flatOf(forwardedHead(request, clientOrigin(request, policy)))).toEqual([
    ...['X-Forwarded-Port', '443', 'X-Forwarded-For', '203.0.113.7, 10.0.0.1', 'X-Forwarded-Proto', 'https'],
    ...['X-Forwarded-Host', 'druid.example.com', 'Via', '1.1 druid-gateway', 'X-Request-Id', 'r'],
  ]);
  for (const own of [{ trusts: () => false }, { forwardedHeader: 'forwarded' } as const]) {
    const judged = clientOrigin(request, { ...policy, ...own });
    expect(flatOf(forwardedHead(request, judged)).join()).not.toMatch(/Port|evil|druid\.example|Forwarded,/);
  }
});

test.each(['ftp', 'javascript:', '', 'https;x', ' '])(
  'a scheme that is none of HTTP is not handed on: %j',
  (proto) => {
    expect(origin(['X-Forwarded-Proto', proto]).proto).toBe('http');
  },
);

test.each(['a b', 'a/b', 'x@a', '<>', '[::1', ''])('a host that is none is not handed on: %j', (host) => {
  expect(origin(['X-Forwarded-Host', host]).host).toBe('gw:8888');
});
