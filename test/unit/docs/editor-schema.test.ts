import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/load.ts';
import { derivePaths, merge } from '../../../src/config/merge.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { formatPath, leaves, type Path, type Tree } from '../../../src/config/schema-walk.ts';
import { expand } from '../../../src/config/shorthand.ts';
import { complete } from '../../../src/config/validate.ts';
import { numberRange } from '../../../tools/docs/number-range.ts';

const CONFIG = fileURLToPath(new URL('../../../config/', import.meta.url));
const ajv = new Ajv({ allowUnionTypes: true, strictTypes: false });
ajv.addVocabulary(['patternErrorMessage']);
const check = ajv.compile(JSON.parse(readFileSync(join(CONFIG, 'schema.json'), 'utf8')) as object);

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-schema-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the loader makes of a file, less what it says of keys that need or exclude each other. */
function fits(value: unknown): boolean {
  const merged = merge([expand(value ?? {}, '/')]);
  return complete(derivePaths(merged as Tree), []).length === 0;
}

function loads(text: string): boolean {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, text);
  try {
    loadConfig({ file });
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

test.each(readdirSync(CONFIG).filter((name) => name.endsWith('.yaml')))(
  'config/%s fits the schema',
  (name) => {
    check(parse(readFileSync(join(CONFIG, name), 'utf8')));
    expect(check.errors).toBeNull();
  },
);

describe('the loader takes what the schema takes', () => {
  test.each([
    'workers: auto',
    'listen: 0.0.0.0:8888',
    "listen: '[::]:8888'",
    'listen: { port: 1, tls: { certFile: a, keyFile: b } }',
    'listen: { basePath: /druid-prod/ }',
    'listen: { basePath: /a/b.c }',
    'listen: { basePath: / }',
    'listen: { basePath: }',
    'admin:',
    'log: { level: }',
    'upstream: { tls: , connectTimeout: 250ms, responseTimeout: 0, bufferBody: 1 MiB }',
    'zookeeper: { connect: "zk1, zk2:2181/prod", basePath: druid, sessionTimeout: "15000" }',
    'static: { brokers: [http://a:8082, { url: https://b:8282, service: druid/hot }] }',
    'brokers: { tiers: { hot: druid/broker }, strategies: [manual, { type: priority, minPriority: -1 }] }',
    'brokers: { tiers: [{ tier: "1", service: druid/broker }] }',
    'redirect: { methods: [GET], addresses: [{ from: "*:8081", to: "https://{host}:{port}" }] }',
    'forwarded: { trust: [10.0.0.0/8, "::1"] }',
  ])('%s', (text) => {
    expect([check(parse(text)), loads(text)]).toEqual([true, true]);
  });
});

describe('the loader refuses what the schema refuses', () => {
  test.each([
    'zookeper: { connect: a }',
    'listen: 8888',
    'listen: localhost',
    'listen: 0.0.0.0:70000',
    'listen: { port: "8888" }',
    'listen: { basePath: druid-prod }',
    'listen: { basePath: /a/../b }',
    'listen: { basePath: /a%2Fb }',
    'listen: { tls: }',
    'listen: { tls: { certFile: a } }',
    'workers: many',
    'workers: 0',
    'zookeeper: { sessionTimeout: 500ms }',
    'zookeeper: { sessionTimeout: soon }',
    'zookeeper: { basePath: /a//b }',
    'parking: { maxWait: 600h, maxBytes: 17GiB }',
    'upstream: { maxHeaderSize: 4KiB }',
    'log: { access: "true" }',
    'log: { level: loud }',
    'routes: { allow: /a }',
    'routes: { allow: [a] }',
    'static: { brokers: [a:8082] }',
    'static: { brokers: [{ service: a }] }',
    'brokers: { tiers: { "1": druid/broker } }',
    'brokers: { tiers: { hot: 7 } }',
    'brokers: { strategies: [javascript] }',
    'brokers: { rules: [{ service: druid/broker, match: { usr: a } }] }',
    'brokers: { rules: [{ service: druid/broker, match: { header: "Cookie: a" } }] }',
    'redirect: { methods: [GET, GET] }',
    'redirect: { methods: [TRACE] }',
    'forwarded: { trust: [10.0.0.0/33] }',
  ])('%s', (text) => {
    expect([check(parse(text)), loads(text)]).toEqual([false, false]);
  });
});

const TEXTS = [
  ...[
    '',
    ' ',
    'x',
    'auto',
    'true',
    '0',
    '30s',
    ' 00030 s ',
    '500ms',
    '9ms',
    '99 ms',
    '596h',
    '597h',
    '1d',
    '-1s',
  ],
  ...[
    '2147483647',
    '2147483648',
    '64KiB',
    '7KiB',
    '8 KiB',
    '1MiB',
    '2MiB',
    '1GiB',
    '2GiB',
    '16GiB',
    '17GiB',
    '1kb',
  ],
  ...['localhost', 'a.b.', '-a', 'a..b', '10.0.0.1', '300.0.0.1', '10.0.0', '::1', 'fd00::/8', '::/129'],
  ...[
    '10.0.0.0/8',
    '10.0.0.0/08',
    '10.0.0.0/33',
    '10.0.0.0/',
    'a:1',
    'a:65535',
    'a:65536',
    ' [::1]:80 ',
    '[::1]',
  ],
  ...['/', '//', '/druid', 'druid/', '/a//b', '/a/./b', '/a/..', '/...', '/a b', '/a?b', '/\u0001'],
  ...['zk', 'zk:0', ' zk:1 , a ', 'a,,b/prod', 'a,b/prod/', 'a:b:c', ',', '[::1]:2181/x', 'u:p@a'],
  ...[
    'http://a',
    'HTTPS://a:8281/',
    'http://a:',
    'http://a:0',
    'http://a:65536',
    'http://u@a',
    'http://[::1]:1',
  ],
  ...[
    'ftp://a',
    'http://',
    'http://a/b',
    'https://{host}:{port}',
    'http://{hostname-first-label}.x',
    'http://a:{x}',
  ],
  ...[
    'X-Team',
    'x-team: bi: 1',
    'x team',
    'x:',
    'Authorization',
    'COOKIE: a',
    'proxy-x',
    '*',
    '*:8081',
    '*:a',
  ],
  ...['10.0.*:80', 'zookeeper', 'relay', 'info', 'GET', 'priority', 'druid/broker'],
];
const VALUES: readonly unknown[] = [
  ...TEXTS,
  ...TEXTS.map((text) => [text]),
  ...[
    null,
    true,
    false,
    -1,
    0,
    0.5,
    1,
    2,
    9,
    100,
    257,
    65_535,
    65_536,
    1_000_000,
    1_000_001,
    2 ** 31 - 1,
    2 ** 31,
  ],
  ...[[], {}, [null], [1], ['GET', 'GET'], ['GET', 'PUT'], { a: 'b' }, { 1: 'b' }, { a: null }, { '': 'b' }],
  ...[{ host: 'a' }, { port: 1 }, { nothing: 1 }, [{}]],
];

/** Objects in lists that are right, each of whose keys is then made wrong. */
const ITEMS: readonly [list: Path, item: Tree, keys: readonly Path[]][] = [
  [['static', 'brokers'], { url: 'http://a' }, [['url'], ['service'], ['other']]],
  [['brokers', 'tiers'], { tier: 'a', service: 'b' }, [['tier'], ['service'], ['other']]],
  [['brokers', 'strategies'], { type: 'manual' }, [['type'], ['minPriority'], ['sql'], ['other']]],
  [['brokers', 'strategies'], { type: 'manual' }, [['defaultManualBrokerService'], ['compatible']]],
  [
    ['feeds', 'haproxy', 'backends', 'brokers'],
    { service: 'a', backend: 'b' },
    [['service'], ['backend'], ['other']],
  ],
  [['redirect', 'addresses'], { from: '*', to: 'http://a' }, [['from'], ['to'], ['other']]],
  [['brokers', 'rules'], { match: {}, service: 'a' }, [['match'], ['service'], ['match', 'other']]],
  [
    ['brokers', 'rules'],
    { match: {}, service: 'a' },
    [
      ['match', 'path'],
      ['match', 'header'],
    ],
  ],
  [
    ['brokers', 'rules'],
    { match: {}, service: 'a' },
    [
      ['match', 'user'],
      ['match', 'contextValue'],
    ],
  ],
];

/** A tree with a value at a path, and what else a section there cannot do without. */
function tree(path: Path, value: unknown): Tree {
  const [key = '', ...rest] = path;
  const besides =
    key === 'auth' ? { user: 'u', passwordFile: 'p' } : key === 'tls' ? { certFile: 'c', keyFile: 'k' } : {};
  return { [key]: rest.length === 0 ? value : { ...besides, ...tree(rest, value) } };
}

describe('the same by type', () => {
  test('for odd values of every key', () => {
    for (const [path] of leaves()) {
      const wrong = VALUES.map((value) => tree(path, value)).filter((given) => check(given) !== fits(given));
      expect([formatPath(path), wrong]).toEqual([formatPath(path), []]);
    }
  });

  test('for odd values of every section', () => {
    const sections = new Set(leaves().flatMap(([path]) => path.map((_, i) => formatPath(path.slice(0, i)))));
    for (const section of sections) {
      const path = section === '' ? [] : section.split('.');
      const given = path.length === 0 ? VALUES : VALUES.map((value) => tree(path, value));
      // An unknown key without a value is as if it were not there to the loader; an editor points at it.
      const wrong = given.filter((value) => check(value) !== (value === null ? true : fits(value)));
      expect([section, wrong.filter((value) => !JSON.stringify(value).includes('"a":null'))]).toEqual([
        section,
        [],
      ]);
    }
  });

  test('for odd values of every key in a list', () => {
    for (const [list, item, keys] of ITEMS) {
      for (const key of keys) {
        const wrong = VALUES.map((value) => {
          const set = merge([tree(key, value), item]) as Tree;
          const whole = value === null ? { ...item, ...tree(key, null) } : set;
          return tree(list, [whole]);
        }).filter((given) => check(given) !== fits(given));
        expect([formatPath([...list, 0, ...key]), wrong]).toEqual([formatPath([...list, 0, ...key]), []]);
      }
    }
  });
});

test('a range of numbers matches these and no others', () => {
  fc.assert(
    fc.property(fc.nat(3_000), fc.nat(3_000), fc.nat(4_000), (a, b, number) => {
      const [min, max] = [Math.min(a, b), Math.max(a, b)];
      const range = new RegExp(`^${numberRange(min, max, 6)}$`);
      const wanted = number >= min && number <= max;
      expect([range.test(String(number)), range.test(`00${number}`)]).toEqual([wanted, wanted]);
    }),
  );
  expect(numberRange(2, 1, 5)).toBeNull();
});
