import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { atEndOfTurn, type TurnWriter } from '../../../src/time/end-of-turn.ts';

let said: string[] = [];

function writer(name: string, onWrittenOut: () => void = () => {}): TurnWriter {
  return {
    writeOut: () => void said.push(`${name} writes`),
    onWrittenOut() {
      said.push(`${name} is told`);
      onWrittenOut();
    },
  };
}

test('all write in their order, and only then all are told', async () => {
  said = [];
  atEndOfTurn(writer('a'));
  atEndOfTurn(writer('b'));
  expect(said).toEqual([]);
  await nextTurn();
  expect(said).toEqual(['a writes', 'b writes', 'a is told', 'b is told']);
});

test('what is asked for meanwhile belongs to the next turn, time and again', async () => {
  said = [];
  let left = 3;
  const again: TurnWriter = writer('a', () => {
    if (left-- > 0) atEndOfTurn(again);
  });
  atEndOfTurn(again);
  for (let turns = 1; turns <= 5; turns++) {
    await nextTurn();
    expect(said).toHaveLength(2 * Math.min(turns, 4));
  }
});
