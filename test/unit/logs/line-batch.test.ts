import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createLineBatch } from '../../../src/logs/line-batch.ts';

function capture(bytes: number) {
  const written: string[] = [];
  const sink = { write: (piece: Buffer) => void written.push(piece.toString()), flushSync: vi.fn() };
  return { written, sink, batch: createLineBatch(sink, { bytes, delayMs: 10 }) };
}

test('every line comes whole, once, in order, and no batch is larger than it may be', () => {
  const lines = fc.array(
    fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => `${text}\n`),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(lines, fc.integer({ min: 16, max: 200 }), (all, bytes) => {
      const { written, batch } = capture(bytes);
      for (const line of all) batch.write(line);
      batch.flush();
      expect(written.join('')).toBe(all.join('').toWellFormed());
      for (const text of written) {
        expect(Buffer.byteLength(text) <= bytes || all.includes(text)).toBe(true);
        expect(text.endsWith('\n')).toBe(true);
      }
    }),
  );
});

test('what has been handed on stays as it was', () => {
  const pieces: Buffer[] = [];
  const sink = { write: (piece: Buffer) => void pieces.push(piece), flushSync: vi.fn() };
  const batch = createLineBatch(sink, { bytes: 16, delayMs: 10 });
  for (let i = 0; i < 9; i++) batch.write(`${i}\n`);
  batch.flush();
  expect(Buffer.concat(pieces).toString()).toBe('0\n1\n2\n3\n4\n5\n6\n7\n8\n');
});

test('a line waits no longer than the delay', async () => {
  const { written, batch } = capture(1_000);
  batch.write('one\n');
  expect(written).toEqual([]);
  await vi.waitFor(() => expect(written).toEqual(['one\n']));
});

test('when the process ends at once, all is written before', () => {
  const { written, sink, batch } = capture(1_000);
  batch.write('last\n');
  batch.flushSync();
  expect(written).toEqual(['last\n']);
  expect(sink.flushSync).toHaveBeenCalledOnce();
});
