import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { CALLS } from '../../druid/router-compatibility/calls.ts';
import { DIFFERENCES, type Difference } from '../../druid/router-compatibility/differences.ts';
import { judge } from '../../druid/router-compatibility/judge.ts';
import { page } from '../../druid/router-compatibility/page.ts';

const PAGE = fileURLToPath(new URL('../../../docs/router-compatibility.md', import.meta.url));

test('the page in docs is made of the list (npx vitest run --project unit test/router-compatibility -u)', async () => {
  await expect(page(DIFFERENCES)).toMatchFileSnapshot(PAGE);
});

test('names are there once', () => {
  for (const names of [CALLS.map(({ name }) => name), DIFFERENCES.map(({ id }) => id)]) {
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  }
});

describe('a difference', () => {
  const found = [{ call: 'sql: a', aspect: 'status', router: '1', gateway: '2' }];
  const listed = (calls: string[], aspects: string[]): Difference[] => [
    { id: 'x', router: '', gateway: '', why: '', covers: [{ calls, aspects }] },
  ];

  test('that is listed is meant', () => {
    expect(judge(found, listed(['sql: a'], ['status']))).toEqual({ unlisted: [], gone: [] });
    expect(judge(found, listed(['sql:*'], ['*']))).toEqual({ unlisted: [], gone: [] });
  });

  test('that is not listed is told', () => {
    expect(judge(found, []).unlisted).toEqual(found);
    expect(judge(found, listed(['sql: b'], ['status'])).unlisted).toEqual(found);
    expect(judge(found, listed(['sql: a'], ['body'])).unlisted).toEqual(found);
  });

  test('that is not there any more is told', () => {
    expect(judge(found, listed(['sql: a', 'sql: b'], ['status'])).gone).toEqual(['x: sql: b']);
    expect(judge(found, listed(['sql: a'], ['status', 'body'])).gone).toEqual(['x: body']);
    expect(judge([], listed(['sql: a'], ['status'])).gone).toEqual(['x: sql: a', 'x: status']);
  });
});
