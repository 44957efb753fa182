import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');

/** `file`: "title", as the page names a test. */
const named = [...page.matchAll(/`(test\/[\w./-]+)`: "([^"]+)"/g)].map(([, file = '', title = '']) => ({
  file,
  title,
}));

describe('each test that docs/security.md names is there', () => {
  test.each(named)('$file: $title', ({ file, title }) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(title);
  });
});

test('no threat is without a test', () => {
  const [, tables = ''] = page.split('## Ending or starving it');
  const rows = tables.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| threat |'));
  expect(rows.length).toBeGreaterThan(30);
  for (const row of rows) expect(row).toMatch(/`test\/[\w./-]+`/);
});
