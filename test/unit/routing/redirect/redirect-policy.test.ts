import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UpstreamNode } from '../../../../src/cluster/node.ts';
import { createAddressSet } from '../../../../src/net/address-set.ts';
import { createAddressMap } from '../../../../src/routing/redirect/address-map.ts';
import {
  createRedirectPolicy,
  type RedirectOptions,
} from '../../../../src/routing/redirect/redirect-policy.ts';

const node = new UpstreamNode('http://10.0.0.7:8081');

describe('the address map', () => {
  const map = createAddressMap([
    { from: '*:8081', to: 'https://{hostname-first-label}.example.com:{port}' },
    { from: '10.0.*:8090', to: 'https://overlord.example.com' },
    { from: 'Druid-7.internal:8081', to: 'https://seven.example.com/' },
    { from: '[FD00:0:0:0:0:0:0:7]:8082', to: 'http://{host}:9{port}' },
  ]);

  test.each([
    ['druid-7.internal:8081', 'https://seven.example.com'],
    ['DRUID-7.internal.:8081', 'https://seven.example.com'],
    ['druid-8.internal:8081', 'https://druid-8.example.com:8081'],
    ['10.0.3.4:8090', 'https://overlord.example.com'],
    ['10.1.3.4:8090', null],
    ['[fd00::7]:8082', 'http://[fd00::7]:98082'],
    ['druid-8xinternal:8090', null],
  ])('%s is %s', (announced, external) => {
    expect(map(announced)).toBe(external);
  });

  test('an exact rule wins wherever it stands, and dots are dots', () => {
    fc.assert(
      fc.property(fc.domain(), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        const from = `${host}:${port}`;
        const exact = createAddressMap([
          { from: '*', to: 'http://other' },
          { from, to: 'http://exact' },
        ]);
        expect(exact(from)).toBe('http://exact');
        expect(createAddressMap([{ from, to: 'http://x' }])(from.replace('.', '-'))).toBeNull();
      }),
    );
  });
});

test('a set of networks holds single addresses, IPv4 and IPv6', () => {
  const set = createAddressSet(['10.0.0.0/8', '192.168.1.1', 'fd00::/8']);
  expect(['10.255.0.1', '192.168.1.1', 'fd12::1'].every(set)).toBe(true);
  expect(['11.0.0.1', '192.168.1.2', 'fe80::1', ''].some(set)).toBe(false);
});

describe('the redirect policy', () => {
  const options: RedirectOptions = {
    mode: { coordinator: 'redirect', overlord: 'auto', broker: 'relay' },
    methods: ['GET', 'POST'],
    clients: ['10.0.0.0/8'],
    addresses: [],
  };

  test('by role, by method and by client', () => {
    const policy = createRedirectPolicy(options);
    expect(policy?.('coordinator', 'GET', '1.2.3.4', node)).toBe('http://10.0.0.7:8081');
    expect(policy?.('coordinator', 'HEAD', '1.2.3.4', node)).toBe('http://10.0.0.7:8081');
    expect(policy?.('coordinator', 'DELETE', '1.2.3.4', node)).toBeNull();
    expect(policy?.('overlord', 'POST', '10.9.9.9', node)).toBe('http://10.0.0.7:8081');
    expect(policy?.('overlord', 'POST', '1.2.3.4', node)).toBeNull();
    expect(policy?.('broker', 'GET', '10.9.9.9', node)).toBeNull();
  });

  test('a node that no rule names is relayed to, not given away', () => {
    const policy = createRedirectPolicy({ ...options, addresses: [{ from: '*:9999', to: 'http://out' }] });
    expect(policy?.('coordinator', 'GET', '1.2.3.4', node)).toBeNull();
  });

  test('there is none where everything is relayed', () => {
    const mode = { coordinator: 'relay', overlord: 'relay', broker: 'relay' } as const;
    expect(createRedirectPolicy({ ...options, mode })).toBeNull();
  });
});

test('a name is put in as it is, whatever it looks like', () => {
  const map = createAddressMap([{ from: '*', to: 'https://{host}.example.com:{port}' }]);
  expect(map("x$'y$&:80")).toBe("https://x$'y$&.example.com:80");
});

describe('a star', () => {
  const fits = (from: string, announced: string): boolean =>
    createAddressMap([{ from, to: 'https://out' }])(announced) !== null;

  test.each([
    ['10.0.*:8081', '10.0.0.7:8081'],
    ['10.0.*.7:8081', '10.0.3.7:8081'],
    ['10.0.0.1*:8081', '10.0.0.17:8081'],
    ['*.0.0.7:8081', '10.0.0.7:8081'],
    ['*.druid.internal:8081', 'a.druid.internal:8081'],
    ['*.druid.internal:8081', 'a.b-1.druid.internal:8081'],
    ['druid-*.internal:8081', 'druid-7.internal:8081'],
    ['druid-*:8081', 'druid-7:8081'],
    ['druid.*.internal:*', 'druid.a.internal:1'],
    ['[fd00::*]:8081', '[fd00::1:2]:8081'],
    ['a:*', 'a:65535'],
    ['*:8081', '[fd00::1]:8081'],
    ['*', 'anything:1'],
  ])('in %s stands for what is there in %s', (from, announced) => {
    expect(fits(from, announced)).toBe(true);
  });

  test.each([
    ['10.0.*:8081', '10.0.evil.com:8081'],
    ['10.0.*:8081', '10.0.0.7.evil.com:8081'],
    ['10.0.*:8081', '10.0.:8081.evil.com:8081'],
    ['10.*.7:8081', '10.evil.7:8081'],
    ['*.0.0.7:8081', 'evil.0.0.7:8081'],
    ['druid-*:8081', 'druid-7.evil.com:8081'],
    ['druid-*.internal:8081', 'druid-7.evil.com.internal:8081'],
    ['*.druid.internal:8081', 'evil.com:80.druid.internal:8081'],
    ['*.druid.internal:8081', '.druid.internal:8081'],
    ['*-druid.internal:8081', 'evil.com-druid.internal:8081'],
    ['[fd00::*]:8081', '[fd00::1].evil.com:8081'],
    ['a:*', 'a:evil'],
    ['a:*', 'a:80:80'],
  ])('in %s does not stand for what is in %s', (from, announced) => {
    expect(fits(from, announced)).toBe(false);
  });
});
