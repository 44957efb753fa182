import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { formatPath, keys } from '../../../src/config/schema-walk.ts';
import { REASONS, type ReasonCode, reasonOf } from '../../../src/errors/catalogue.ts';
import { errorBody, gatewayError } from '../../../src/errors/gateway-error.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CODES = Object.keys(REASONS) as ReasonCode[];

test('every code is given by somebody', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== join('errors', 'catalogue.ts'))
    .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
    .join('\n');
  expect(CODES.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
});

test('every code is in the table of docs/operations.md', () => {
  const text = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
  expect(CODES.filter((code) => !text.includes(`\n| \`${code}\` | ${reasonOf(code).status} |`))).toEqual([]);
});

test('every key that is named in the catalogue is one', () => {
  const known = new Set(keys().map(([path]) => formatPath(path)));
  const named = CODES.flatMap((code) => {
    const { meaning, action } = reasonOf(code);
    return [...`${meaning} ${action}`.matchAll(/`([a-z]+(?:\.[A-Za-z.]+)?)`/g)].map(([, key = '']) => key);
  });
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((key) => !known.has(key))).toEqual([]);
});

test('an error has what the catalogue says, and what is known of the request', () => {
  expect(gatewayError('discovery_stale')).toEqual({
    status: 503,
    reason: 'discovery_stale',
    message:
      'The gateway is out of touch with its source of discovery and knows no leader that confirms itself; try again.',
    retryAfter: 5,
  });
  expect(gatewayError('method_not_allowed', { message: 'No.', allow: 'GET' })).toEqual({
    status: 405,
    reason: 'method_not_allowed',
    message: 'No.',
    allow: 'GET',
  });
});

test("a body has the shape of Druid's", () => {
  expect(errorBody({ ...gatewayError('upstream_timeout'), queryId: 'q' }, 'mine')).toBe(
    '{"error":"druidException","errorCode":"upstream_timeout","persona":"OPERATOR","category":"TIMEOUT",' +
      '"errorMessage":"Druid did not answer in time.",' +
      '"context":{"reason":"upstream_timeout","requestId":"mine","queryId":"q"}}',
  );
  expect(JSON.parse(errorBody(gatewayError('request_timeout'), 'mine'))).toMatchObject({
    persona: 'OPERATOR',
    category: 'RUNTIME_FAILURE',
  });
});

test('a code that is not in the catalogue, or lacks its message, does not compile', () => {
  // @ts-expect-error: no such code.
  expect(() => gatewayError('no_such_code')).toThrow(TypeError);
  // @ts-expect-error: the message depends on the request.
  expect(gatewayError('cancel_unknown').message).toBe('');
});
