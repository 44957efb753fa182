import { expect, test } from 'vitest';
import { createReadBuffers, type ReadBuffer } from '../../../src/upstream/read-buffers.ts';

const KIB = 1024;

test('while many large buffers are lent others are smaller, until those come back', () => {
  const buffers = createReadBuffers();
  const taken = Array.from({ length: 100 }, () => {
    const buffer = buffers.large();
    buffer.open({ onReturned() {} });
    buffer.borrow();
    expect(buffer.close()).toBe(false);
    return buffer;
  });
  const bytes = (all: readonly ReadBuffer[]): number => all.reduce((sum, one) => sum + one.bytes.length, 0);
  expect(bytes(taken.slice(0, 8))).toBe(8 * 512 * KIB);
  expect(bytes(taken)).toBe(8 * 512 * KIB + 92 * 64 * KIB);
  for (const buffer of taken) buffer.release();
  expect(buffers.large().bytes.length).toBe(512 * KIB);
});

test('a buffer whose pieces come back while it is looked at counts as lent no more', () => {
  const buffers = createReadBuffers();
  for (let i = 0; i < 20; i++) {
    const buffer = buffers.large();
    buffer.open({ onReturned() {} });
    buffer.borrow().borrow();
    buffer.release();
    buffer.release();
    expect(buffer.close()).toBe(true);
  }
  expect(buffers.large().bytes.length).toBe(512 * KIB);
});
