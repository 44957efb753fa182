import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTraceParent, isInShare, parseTraceParent } from '../../../src/http/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map((digits) => digits.join(''));

describe('a traceparent', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, 1],
    [`00-${TRACE}-${SPAN}-00`, 0],
    [`00-${TRACE}-${SPAN}-ff`, 255],
    // Later versions may have more behind a dash (W3C Trace Context, "Versioning of traceparent").
    [`01-${TRACE}-${SPAN}-01`, 1],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-has`, 1],
    [`fe-${TRACE}-${SPAN}-01-`, 1],
  ])('%s is valid', (text, flags) => {
    expect(parseTraceParent(text)).toEqual({ traceId: TRACE, parentId: SPAN, flags });
  });

  test.each([
    '',
    'none',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01.more`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN.toUpperCase()}-01`,
    `0A-${TRACE}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-0g`,
    `00_${TRACE}_${SPAN}_01`,
  ])('%s is invalid', (text) => {
    expect(parseTraceParent(text)).toBeNull();
  });

  test('that we write is read as it was', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), fc.nat(255), (traceId, spanId, sampled, flags) => {
        const written = formatTraceParent(traceId, spanId, sampled, flags);
        const isValid = /[^0]/.test(traceId) && /[^0]/.test(spanId);
        const expected = { traceId, parentId: spanId, flags: (flags & 2) | (sampled ? 1 : 0) };
        expect(parseTraceParent(written)).toEqual(isValid ? expected : null);
      }),
    );
  });

  test('that is read holds nothing but hexadecimal digits, whatever comes', () => {
    const near = fc.tuple(hex(2), hex(32), hex(16), hex(2), fc.string({ maxLength: 3 }));
    const texts = fc.oneof(
      fc.string(),
      near.map(([version, trace, span, flags, more]) => `${version}-${trace}-${span}-${flags}${more}`),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseTraceParent(text);
        if (parsed !== null) expect(parsed.traceId + parsed.parentId).toMatch(/^[\da-f]{48}$/);
      }),
    );
  });
});

describe('the share of traces', () => {
  test('is as large as it should be', () => {
    fc.assert(
      fc.property(fc.constantFrom(0.01, 0.1, 0.5, 0.9), fc.infiniteStream(hex(32)), (ratio, ids) => {
        let inside = 0;
        let asked = 0;
        for (const id of ids) {
          if (isInShare(id, ratio)) inside++;
          if (++asked === 2_000) break;
        }
        expect(Math.abs(inside / asked - ratio)).toBeLessThan(0.06);
      }),
      { numRuns: 4 },
    );
  });

  test('is in every larger one; 0 has none and 1 has all', () => {
    fc.assert(
      fc.property(
        hex(32),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (id, a, b) => {
          const [less, more] = [Math.min(a, b), Math.max(a, b)];
          if (isInShare(id, less)) expect(isInShare(id, more)).toBe(true);
          expect([isInShare(id, 0), isInShare(id, 1)]).toEqual([false, true]);
        },
      ),
    );
  });
});
