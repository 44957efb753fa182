import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { between, GENERATED } from '../../../tools/docs/generated.ts';

describe('what is generated', () => {
  test.each(GENERATED)('$path is up to date', ({ path, make }) => {
    const text = readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
    expect(text, `${path} is stale: run npm run docs:generate`).toBe(make(text));
  });

  test('only what is between the markers is written', () => {
    const [begin, end] = ['<!-- x: made by npm run docs:generate -->', '<!-- end of x -->'];
    const made = between(`before\n${begin}\nold\n${end}\nafter`, 'x', 'new');
    expect(made).toBe(`before\n${begin}\n\nnew\n\n${end}\nafter`);
    expect(between(made, 'x', 'new')).toBe(made);
    expect(() => between('no markers', 'x', 'new')).toThrow('there is no place for the x');
  });
});

test('config/full.yaml names its schema', () => {
  const text = readFileSync(new URL('../../../config/full.yaml', import.meta.url), 'utf8');
  expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./schema.json');
});
