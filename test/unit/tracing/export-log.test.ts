import { expect, test } from 'vitest';
import { tellOfExports } from '../../../src/tracing/export-log.ts';
import type { DropReason } from '../../../src/tracing/export-queue.ts';

test('a receiver that takes every other batch is told of by two lines a minute', () => {
  const lines: string[] = [];
  let now = 0;
  const dropped: Record<DropReason, number> = { queue_full: 0, export_failed: 0, error: 0, shutdown: 0 };
  const tell = (_: unknown, message?: string): void => void lines.push(String(message));
  const told = tellOfExports(
    { warn: tell, info: tell } as Parameters<typeof tellOfExports>[0],
    () => ({ exported: 0, dropped }),
    () => now,
  );
  for (; now < 120_000; now += 100) told(now % 200 === 0 ? 'refused' : null);
  const pair = ['spans cannot be exported; requests are not affected', 'spans are exported again'];
  expect(lines).toEqual([...pair, ...pair]);
});
