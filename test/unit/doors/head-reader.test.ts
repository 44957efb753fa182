import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadReader } from '../../../src/doors/express/head-reader.ts';
import { plainHead } from '../../../src/doors/express/plain-head.ts';
import { readRequestFields } from '../../../src/http/request-fields.ts';

/** Reads the head as if it were the first. */
function readAnew(text: string): unknown {
  const found = plainHead(text);
  return found && { ...found, fields: readRequestFields(found.block) };
}

/** What the reader has read, without what belongs to a repeated head. */
function readBy(reader: HeadReader, text: string): unknown {
  const head = reader.read(text);
  if (head === null) return null;
  const { repeated, ...read } = head;
  return read;
}

const LINES = ['Host: a', 'Host: b', 'Content-Length: 1', 'Content-Length: 12', 'X-Request-Id: one', 'TE: x'];

const head = fc
  .record({
    line: fc.constantFrom('GET / HTTP/1.1', 'POST /a HTTP/1.1', 'POST /ab HTTP/1.1', 'GET  / HTTP/1.1'),
    lines: fc.array(fc.constantFrom(...LINES), { maxLength: 3 }),
    fill: fc.constantFrom(0, 0, 0, 3_000),
  })
  .map(({ line, lines, fill }) => {
    const all = fill === 0 ? lines : [...lines, `X-Fill: ${'f'.repeat(fill)}`];
    return `${line}\r\n${all.map((one) => `${one}\r\n`).join('')}\r\n`;
  });
const text = fc
  .tuple(head, fc.constantFrom('', '', 'b', '\r\n', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), fc.nat(40))
  .map(([whole, rest, cut]) => (cut < 5 ? whole.slice(0, -cut - 1) : whole + rest));

describe('HeadReader', () => {
  it('reads every head as if it were the first, whatever came before it', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 12 }), fc.boolean(), (texts, twice) => {
        const reader = new HeadReader();
        for (const one of texts) {
          expect(readBy(reader, one)).toEqual(readAnew(one));
          if (twice) expect(readBy(reader, one)).toEqual(readAnew(one));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('does not read the same head again', () => {
    const reader = new HeadReader();
    const first = reader.read('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    expect(first?.repeated).toBeNull();
    const second = reader.read('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\ny');
    expect(second?.fields).toBe(first?.fields);
    const third = reader.read('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nz');
    expect(third).toBe(second);
    const other = reader.read('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nyz');
    expect(other?.fields).not.toBe(first?.fields);
    expect(other?.repeated).toBeNull();
  });

  it('keeps no long text with a connection', () => {
    const reader = new HeadReader();
    const long = `GET / HTTP/1.1\r\nHost: a\r\nX-Fill: ${'f'.repeat(3_000)}\r\n\r\n`;
    expect(reader.read(long)?.fields).not.toBe(reader.read(long)?.fields);
    const withBody = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n${'f'.repeat(3_000)}`;
    expect(reader.read(withBody)?.fields).not.toBe(reader.read(withBody)?.fields);
  });
});
