import { expect, test } from 'vitest';
import { PackedBytes } from '../../../src/http/packed-bytes.ts';

test('a million pieces of one byte take no more than twice their bytes, in few buffers', () => {
  const bytes = new PackedBytes();
  const read = Buffer.alloc(64 * 1024, 'x');
  for (let i = 0; i < 1_000_000; i++) bytes.push(read.subarray(i & 0xffff, (i & 0xffff) + 1));
  expect(bytes.length).toBe(1_000_000);
  expect(bytes.size).toBeLessThanOrEqual(2_000_000);
  const buffers = new Set(bytes.pieces().map(({ buffer }) => buffer));
  expect(buffers.size).toBeLessThan(100);
  expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(bytes.size);
});

test('a few bytes take a small block', () => {
  const bytes = new PackedBytes();
  bytes.push(Buffer.from('{}'));
  expect(bytes.size).toBeLessThanOrEqual(1024);
});

test('small and large pieces stay in their order, and large ones are not copied', () => {
  const bytes = new PackedBytes();
  const large = Buffer.alloc(8 * 1024, 'L');
  const expected: Buffer[] = [];
  for (const piece of ['a', 'bc', large, 'd', large, large, 'e'.repeat(3000), 'f'.repeat(3000)]) {
    bytes.push(Buffer.from(piece));
    expected.push(Buffer.from(piece));
  }
  expect(bytes.whole()).toEqual(Buffer.concat(expected));
  const own = Buffer.allocUnsafeSlow(8 * 1024);
  bytes.clear();
  bytes.push(own);
  expect(bytes.pieces()[0]?.buffer).toBe(own.buffer);
});

test('one small piece in memory of its own is not copied, unless more come', () => {
  const bytes = new PackedBytes();
  const own = Buffer.allocUnsafeSlow(3).fill('a');
  bytes.push(own);
  expect(bytes.whole().buffer).toBe(own.buffer);
  expect([bytes.length, bytes.size]).toEqual([3, 3]);
  bytes.push(Buffer.from('b'));
  expect(bytes.whole().toString()).toBe('aaab');
  expect([bytes.length, bytes.pieces().length]).toEqual([4, 1]);
  expect(bytes.size).toBe(bytes.pieces()[0]?.buffer.byteLength);
});

test('a piece of a much larger buffer does not keep that', () => {
  const bytes = new PackedBytes();
  bytes.push(
    Buffer.allocUnsafeSlow(64 * 1024)
      .fill('x')
      .subarray(0, 5_000),
  );
  expect(bytes.pieces()[0]?.buffer.byteLength).toBe(5_000);
});
