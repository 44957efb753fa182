import { PerformanceObserver } from 'node:perf_hooks';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WholeBody } from '../../../src/http/body.ts';
import { lowerName } from '../../../src/http/header-names.ts';
import { countLargeRead } from '../../../src/http/large-reads.ts';
import { wholeNumber } from '../../../src/http/whole-number.ts';

const latin1 = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));

test('a whole number is what 1 to 15 digits are, and no other text is one', () => {
  const text = fc.oneof(
    fc.string(),
    fc.bigInt({ min: 0n, max: 10n ** 17n }).map(String),
    fc.stringMatching(/^[\d+\-. ex]{0,17}$/),
  );
  fc.assert(
    fc.property(text, (value) => {
      expect(wholeNumber(value)).toBe(/^\d{1,15}$/.test(value) ? Number(value) : -1);
    }),
  );
  for (const value of ['', '00', '007', '999999999999999', '1000000000000000', '٣', '1\n']) {
    expect(wholeNumber(value)).toBe(/^[0-9]{1,15}$/.test(value) ? Number(value) : -1);
  }
});

test('a name in lower case is the same by the table and without it', () => {
  const usual = [
    'Host',
    'host',
    'HOST',
    'hOST',
    'Content-Length',
    'TE',
    'te',
    'X-Druid-SQL-Query-Id',
    '__proto__',
  ];
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...usual), fc.string()), (name) => {
      expect(lowerName(name)).toBe(name.toLowerCase());
    }),
  );
});

test('a body is the same as bytes and as text, from wherever it is cut', () => {
  fc.assert(
    fc.property(latin1, latin1, latin1, fc.boolean(), (before, body, after, isKnown) => {
      const all = Buffer.concat([before, body, after]);
      const text = body.toString('latin1');
      const to = before.length + body.length;
      const whole = WholeBody.ofBytes(all, before.length, to, isKnown ? text : null);
      expect([whole.length, whole.text, whole.bytes.equals(body)]).toEqual([body.length, text, true]);
      expect(WholeBody.ofBytes(body).bytes.equals(body)).toBe(true);
    }),
  );
});

test('after some megabytes that were read into buffers of their own the young generation is collected', async () => {
  const kinds: unknown[] = [];
  const minor = new Promise<void>((resolve) => {
    const observer = new PerformanceObserver((list) => {
      const entries = list.getEntries() as unknown as { detail: { kind: number } }[];
      for (const { detail } of entries) kinds.push(detail.kind);
      if (!kinds.includes(1)) return;
      observer.disconnect();
      resolve();
    });
    observer.observe({ entryTypes: ['gc'] });
  });
  for (let i = 0; i < 100; i++) countLargeRead(64 * 1024);
  await minor;
});
