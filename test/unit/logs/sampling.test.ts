import { describe, expect, test } from 'vitest';
import type { ExchangeRecord } from '../../../src/exchange/ports/record.ts';
import { type AccessLogOptions, createAccessLog } from '../../../src/logs/access-log.ts';
import { createLogger } from '../../../src/logs/logger.ts';
import { exchange } from '../admin/fakes.ts';

/** The lines of these records. */
function lines(options: AccessLogOptions, ...records: readonly ExchangeRecord[]): Record<string, unknown>[] {
  const written: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void written.push(JSON.parse(line)) };
  const log = createAccessLog(createLogger({ level: 'info', stream }), options);
  for (const record of records) log(record);
  return written;
}

const never = { ratio: 0.25, slowMs: 1_000, random: () => 0.25 };
const trace = (traceId: string) => ({ traceId, parentSpanId: null, spanId: null });

describe('with a ratio', () => {
  test.each<[string, Partial<ExchangeRecord>]>([
    ['an error of the gateway', { status: 503, reason: 'no_leader' }],
    ['a refusal', { status: 403 }],
    ['an answer that was not whole', { end: 'incomplete' }],
    ['a client that left', { status: 499, end: 'client_gone' }],
    ['what took long', { durationMs: 1_001 }],
    ['a write', { class: 'write' }],
    ['a statement that may write', { class: 'statement' }],
    ['a cancel', { class: 'cancel' }],
  ])('%s has its line, which stands for itself', (_, change) => {
    expect(lines(never, exchange(change))).toMatchObject([{ sampleRatio: 1 }]);
  });

  test.each<[string, Partial<ExchangeRecord>]>([
    ['a query', {}],
    ['a read', { class: 'read', role: 'coordinator' }],
    ['a redirect', { status: 307, redirected: true }],
    ['what took just as long as it may', { durationMs: 1_000 }],
  ])('%s has one in its share, which says so', (_, change) => {
    expect(lines(never, exchange(change))).toEqual([]);
    const [line] = lines({ ...never, random: () => 0.249 }, exchange(change));
    expect(line?.sampleRatio).toBe(0.25);
  });

  test('the trace decides where there is one, so that all gateways write the same lines', () => {
    const records = ['f', 'c', 'b', '0'].map((digit) => exchange({ trace: trace(digit.repeat(32)) }));
    expect(lines(never, ...records).map(({ traceId }) => traceId)).toEqual(['f'.repeat(32), 'c'.repeat(32)]);
  });

  test('the lines, times what they stand for, are as many as the requests', () => {
    let i = 0;
    const random = (): number => (i++ % 100) / 100;
    const records = Array.from({ length: 1_000 }, (_, i) => exchange(i % 10 === 0 ? { status: 500 } : {}));
    const all = lines({ ratio: 0.1, random }, ...records);
    expect(all.length).toBe(190);
    expect(all.reduce((sum, { sampleRatio }) => sum + 1 / Number(sampleRatio), 0)).toBeCloseTo(1_000, 6);
  });

  test('of 0, only what is always logged is', () => {
    expect(lines({ ratio: 0, random: () => 0 }, exchange(), exchange({ status: 500 }))).toHaveLength(1);
  });
});

test('without one no line says what it stands for', () => {
  const [line] = lines({ slowMs: 1, random: () => 1 }, exchange());
  expect(line).not.toHaveProperty('sampleRatio');
});

test('a line has the place of its request in a trace, and its user, if they are known', () => {
  const [traceId, spanId, parentSpanId] = ['a'.repeat(32), 'b'.repeat(16), 'c'.repeat(16)];
  const [all, some, none] = lines(
    {},
    exchange({ trace: { traceId, spanId, parentSpanId }, user: 'jürgen' }),
    exchange({ trace: { traceId, spanId: null, parentSpanId } }),
    exchange(),
  );
  expect(all).toMatchObject({ traceId, spanId, parentSpanId, user: 'jürgen' });
  expect(some).toMatchObject({ traceId, parentSpanId });
  for (const name of ['spanId', 'user']) expect(some).not.toHaveProperty(name);
  for (const name of ['traceId', 'spanId', 'parentSpanId', 'user']) expect(none).not.toHaveProperty(name);
});

test('a name that is long is cut', () => {
  const [line] = lines({}, exchange({ user: 'x'.repeat(5_000) }));
  expect(line?.user).toBe(`${'x'.repeat(128)}…`);
});
