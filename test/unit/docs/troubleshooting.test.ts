import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { GROUPS } from '../../../src/doctor/checks.ts';
import { type ReasonCode, reasonOf } from '../../../src/errors/catalogue.ts';

const PAGE = fileURLToPath(new URL('../../../docs/troubleshooting.md', import.meta.url));
const page = readFileSync(PAGE, 'utf8');

const all = (pattern: RegExp): string[] => [...page.matchAll(pattern)].map(([, found = '']) => found);

test('names checks that doctor has', () => {
  const known = GROUPS.flatMap(({ checks }) => checks.map(({ id }) => id));
  const named = all(/(?:FAIL|WARN) ([a-z]+\.[a-z]+)/g);
  expect(named.length).toBeGreaterThan(10);
  for (const id of named) expect(known).toContain(id);
});

test('names reasons with the status that they have', () => {
  const named = [...page.matchAll(/(?<!live` is )(\d{3}) `([a-z_]+)`/g)];
  expect(named.length).toBeGreaterThan(10);
  for (const [, status, code] of named) {
    expect([code, String(reasonOf(code as ReasonCode)?.status)]).toEqual([code, status]);
  }
});
