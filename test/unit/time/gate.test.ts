import { expect, test } from 'vitest';
import { createGate } from '../../../src/time/gate.ts';

test('so many tasks are under way at once, and the others follow in their order, whatever becomes of them', async () => {
  const gate = createGate(2);
  const begun: number[] = [];
  const tasks = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const outcomes = tasks.map(({ promise }, i) =>
    gate(() => {
      begun.push(i);
      return promise;
    }),
  );
  expect(begun).toEqual([0, 1]);
  tasks[1]?.resolve(1);
  await outcomes[1];
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2]);
  tasks[0]?.reject(new Error('failed'));
  await expect(outcomes[0]).rejects.toThrow('failed');
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const { resolve } of tasks) resolve(0);
  await Promise.all(outcomes.slice(1));
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  // All places are free again.
  await Promise.all([gate(async () => begun.push(5)), gate(async () => begun.push(6))]);
  expect(begun).toHaveLength(7);
});
