import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseNodeAddress, parseOrigin } from '../../../src/net/origin.ts';

const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
/** As Java writes IPv6: every group, none with leading zeros. */
const javaIPv6 = (parts: readonly number[]): string =>
  `[${parts.map((part) => part.toString(16)).join(':')}]`;
const withZeros = (parts: readonly number[]): string =>
  `[${parts.map((part) => part.toString(16).padStart(4, '0').toUpperCase()).join(':')}]`;
const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}(\.[a-z][a-z0-9]{0,5}){0,3}$/);
const ports = fc.integer({ min: 1, max: 65_535 });

describe('a node is the same node in every spelling', () => {
  test.each([
    [
      'http://[::1]:8081',
      ['http://[0:0:0:0:0:0:0:1]:8081', 'HTTP://[0000:0::0001]:8081/', 'http://[::0.0.0.1]:8081'],
    ],
    [
      'http://10.0.0.1:8081',
      ['http://[::ffff:10.0.0.1]:8081', 'http://[0:0:0:0:0:FFFF:a00:1]:8081', 'http://10.0.0.1.:8081'],
    ],
    [
      'http://druid-1.example:80',
      ['http://druid-1.example', 'http://DRUID-1.Example.:80', 'HTTP://druid-1.example./'],
    ],
    ['https://druid-1:443', ['https://druid-1', 'https://Druid-1.:443']],
  ])('%s', (origin, spellings) => {
    for (const spelling of [origin, ...spellings])
      expect([spelling, parseOrigin(spelling)]).toEqual([spelling, origin]);
  });

  test('whatever the address, in IPv6 of any length', () => {
    fc.assert(
      fc.property(groups, ports, (parts, port) => {
        const origin = parseOrigin(`http://${javaIPv6(parts)}:${port}`);
        expect(origin).not.toBeNull();
        expect(parseOrigin(`http://${withZeros(parts)}:${port}`)).toBe(origin);
      }),
    );
  });

  test('whatever the name, its case, and with a dot behind it or none', () => {
    fc.assert(
      fc.property(names, ports, (name, port) => {
        const origin = `http://${name}:${port}`;
        fc.pre(parseOrigin(origin) !== null);
        expect(parseOrigin(origin)).toBe(origin);
        expect(parseOrigin(`HTTP://${name.toUpperCase()}.:${port}`)).toBe(origin);
      }),
    );
  });

  test('its spelling is its own spelling, whatever was read, and what is no node is none', () => {
    const texts = fc.oneof(
      fc.webUrl(),
      fc.string().map((text) => `http://${text}`),
      fc.string(),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const origin = parseOrigin(text);
        if (origin !== null) expect(parseOrigin(origin)).toBe(origin);
      }),
      { numRuns: 2_000 },
    );
    for (const text of [
      'http://a..:1',
      'http://.:1',
      'http://a:0',
      'ftp://a:1',
      'http://u@a:1',
      'http://[fe80::1%25eth0]:1',
    ]) {
      expect([text, parseOrigin(text)]).toEqual([text, null]);
    }
  });

  test('two addresses are two', () => {
    fc.assert(
      fc.property(groups, groups, (one, two) => {
        fc.pre(one.join() !== two.join());
        expect(parseOrigin(`http://${javaIPv6(one)}:1`)).not.toBe(parseOrigin(`http://${javaIPv6(two)}:1`));
      }),
    );
  });
});

test.each([
  ['Broker-1.example.:8082', 'broker-1.example:8082'],
  ['[0:0:0:0:0:0:0:1]:8082', '[::1]:8082'],
  ['[::ffff:10.0.0.1]:80', '10.0.0.1:80'],
  ['broker-1:443', 'broker-1:443'],
  ['broker-1', null],
  ['broker-1:8082/x', null],
  ['a b:1', null],
  ['user@broker:1', null],
])('of host and port, %s is %s', (text, address) => {
  expect(parseNodeAddress(text)).toBe(address);
});
