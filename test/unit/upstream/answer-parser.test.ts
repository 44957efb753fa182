import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAnswerHead } from '../../../src/http/response-head.ts';
import { AnswerParser } from '../../../src/upstream/answer-parser.ts';

const MAX_HEAD = 200;

interface Read {
  status: number | null;
  reason: string;
  kept: string;
  body: string;
  trailers: string | null;
  end: 'open' | 'whole' | 'malformed';
  /** Another request may go out on the connection. */
  reusable: boolean;
}

/** Reads the pieces as they would come from a socket whose buffer is used again and again. */
function read(pieces: readonly string[], ends = false, maxHead = MAX_HEAD): Read {
  const result: Read = {
    status: null,
    reason: '',
    kept: '',
    body: '',
    trailers: null,
    end: 'open',
    reusable: false,
  };
  const parser = new AnswerParser(
    {
      onHead: ({ status, reason, kept }) => Object.assign(result, { status, reason, kept }),
      onBody(buffer, from, to, text) {
        const piece = buffer.toString('latin1', from, to);
        expect(text ?? piece).toBe(piece);
        result.body += piece;
      },
      onWhole: (trailers, reusable) => Object.assign(result, { trailers, end: 'whole', reusable }),
      onMalformed() {
        // After the end of an answer this is the end of the connection alone.
        if (result.end === 'open') result.end = 'malformed';
        result.reusable = false;
      },
    },
    maxHead,
  );
  parser.expect();
  const buffer = Buffer.alloc(4_096, '\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n');
  for (const piece of pieces) {
    buffer.write(piece, 'latin1');
    parser.feed(buffer, piece.length);
  }
  if (ends) parser.end();
  return result;
}

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const whole = (parts: Partial<Read>): Partial<Read> => ({ end: 'whole', ...parts });

describe('an answer', () => {
  test.for<[name: string, text: string, expected: Partial<Read>]>([
    ['with a length', `${OK}Content-Length: 3\r\n\r\nabc`, whole({ body: 'abc', reusable: true })],
    ['of no length', `${OK}Content-Length: 0\r\n\r\n`, whole({ body: '', reusable: true })],
    ['of chunks', `${CHUNKED}3\r\nabc\r\n0002\r\nde\r\n0\r\n\r\n`, whole({ body: 'abcde', reusable: true })],
    ['of extended chunks', `${CHUNKED}3;a="b"\r\nabc\r\n0;c\r\n\r\n`, whole({ body: 'abc', reusable: true })],
    ['with trailers', `${CHUNKED}0\r\nA: b\r\nC: d\r\n\r\n`, whole({ trailers: 'A: b\r\nC: d\r\n' })],
    ['that closes', `${OK}Connection: close\r\nContent-Length: 0\r\n\r\n`, whole({ reusable: false })],
    ['with a list', `${OK}Connection: x,\tclose\r\nContent-Length: 0\r\n\r\n`, whole({ reusable: false })],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', whole({ reusable: false })],
    ['of a status nobody knows', 'HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n', whole({ status: 599 })],
    ['without a reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', whole({ status: 200, reusable: true })],
    [
      'behind others',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n${OK}Content-Length: 0\r\n\r\n`,
      whole({ status: 200 }),
    ],
    ['without content', 'HTTP/1.1 204 No Content\r\n\r\n', whole({ reusable: true })],
    [
      'that is not modified',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
      whole({ reusable: true }),
    ],
    [
      'without content that has a length',
      'HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n',
      whole({ reusable: false }),
    ],
    [
      'that is not modified and chunked',
      'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n',
      whole({ reusable: false }),
    ],
    [
      'and more',
      `${OK}Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n`,
      whole({ body: 'abc', reusable: false }),
    ],
  ])('%s', ([, text, expected]) => {
    expect(read([text])).toMatchObject(expected);
  });

  test('without a framing goes on until the connection ends', () => {
    expect(read([`${OK}\r\nabc`])).toMatchObject({ end: 'open', body: 'abc' });
    expect(read([`${OK}\r\nabc`], true)).toMatchObject({ end: 'whole', body: 'abc', reusable: false });
    expect(read([`${OK}Content-Length: 4\r\n\r\nabc`], true)).toMatchObject({ end: 'open', body: 'abc' });
    expect(read([`${CHUNKED}4\r\nabc`], true)).toMatchObject({ end: 'open', body: 'abc' });
  });
});

const HEADS = [
  ...[
    'Content-Length: 3\r\nContent-Length: 3',
    'Content-Length: 3\r\nContent-Length: 4',
    'Content-Length: 3, 3',
  ],
  ...['Content-Length: 3\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nContent-Length: 3'],
  ...[
    'Content-Length: +3',
    'Content-Length: -3',
    'Content-Length: 0x3',
    'Content-Length:',
    'Content-Length: 3 3',
  ],
  ...[
    'Content-Length: 9999999999999999999',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: identity',
  ],
  ...[
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding:',
    'Transfer-Encoding: xchunked',
  ],
  ...[
    'A: b\r\n folded',
    ' A: b',
    'A : b',
    ': b',
    'A',
    'A: b\nC: d',
    'A: b\rC: d',
    'A: \0',
    'A\x80: b',
    'A: \x7f',
  ],
  ...[`A: ${'b'.repeat(MAX_HEAD)}`],
].map((lines) => `${OK}${lines}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`);
const STATUS_LINES = [
  ...[
    'HTTP/1.1 101 Switching Protocols',
    'HTTP/2.0 200 OK',
    'HTTP/1.2 200 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 20 OK',
  ],
  ...[
    'HTTP/1.1 099 OK',
    'HTTP/1.1 000 OK',
    'HTTP/1.1 600 OK',
    'HTTP/1.1 999 OK',
    'HTTP/1.1  200 OK',
    'http/1.1 200 OK',
    'ICY 200 OK',
    '200 OK',
    '',
    'HTTP/1.1 200 \0',
    'HTTP/1.1 OK',
  ],
].map((line) => `${line}\r\nContent-Length: 3\r\n\r\nabc`);
const CHUNKS = [
  ...[
    '-3\r\nabc\r\n',
    '+3\r\nabc\r\n',
    '0x3\r\nabc\r\n',
    ' 3\r\nabc\r\n',
    '3 \r\nabc\r\n',
    '\r\nabc\r\n',
    'g\r\n',
    '3\nabc\r\n',
  ],
  ...[
    'FFFFFFFFF\r\n',
    '000000003\r\nabc\r\n',
    '3\r\nabcd\r\n',
    '3\r\nabc\n',
    '3\r\nabc\r\r\n',
    '3;\0\r\nabc\r\n',
    '3;a\rb\r\nabc\r\n',
  ],
  ...[
    `3;${'a'.repeat(300)}\r\nabc\r\n`,
    '0\r\nA\r\n\r\n',
    '0\r\n A: b\r\n\r\n',
    '0\r\nA: b\n\r\n\r\n',
    '0\r\nA : b\r\n\r\n',
  ],
  ...[`0\r\nA: ${'b'.repeat(MAX_HEAD)}\r\n\r\n`],
].map((chunks) => `${CHUNKED}${chunks}0\r\n\r\n`);

test.for([...HEADS, ...STATUS_LINES, ...CHUNKS])('%j is malformed', (text) => {
  expect(read([text]).end).toBe('malformed');
});

test('a head is read at any length, whole or in two pieces', () => {
  for (const length of [900, 1022, 1023, 1024, 1025, 1026, 2_000]) {
    const rest = 'Content-Length: 3\r\n\r\n';
    const filler = `X: ${'y'.repeat(length - OK.length - rest.length - 'X: \r\n'.length)}\r\n`;
    const text = `${OK}${filler}${rest}abc`;
    const expected = { body: 'abc', end: 'whole', reusable: true, kept: `${filler}Content-Length: 3\r\n` };
    for (const at of [1, 1023, 1024, length - 1, length, length + 1]) {
      const parts = [text.slice(0, at), text.slice(at)].filter((part) => part !== '');
      expect(read(parts, false, length)).toMatchObject(expected);
      expect(read(parts, false, length - 1).end).toBe('malformed');
    }
  }
});

test('a body behind a head and interim answers is what came, wherever the pieces are cut', () => {
  const text = `HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n${OK}Content-Length: 6\r\n\r\nabcdef`;
  const chunks = `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(3)}${CHUNKED}3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n`;
  for (const whole of [text, chunks]) {
    for (let at = 1; at < whole.length; at++) {
      const expected = { body: 'abcdef', end: 'whole', reusable: true };
      expect([at, read([whole.slice(0, at), whole.slice(at)])]).toMatchObject([at, expected]);
    }
  }
});

test('a status line is read whatever the last one was', () => {
  const long = 'Why '.repeat(20);
  const lines: readonly [line: string, read: Partial<Read>][] = [
    ['HTTP/1.1 200 OK', { status: 200, reason: 'OK', reusable: true }],
    ['HTTP/1.0 200 OK', { status: 200, reason: 'OK', reusable: false }],
    ['HTTP/1.1 200', { status: 200, reason: '', reusable: true }],
    ['HTTP/1.1 200 ', { status: 200, reason: '', reusable: true }],
    ['HTTP/1.1 200 OK ', { status: 200, reason: 'OK ', reusable: true }],
    ['HTTP/1.1 503 OK', { status: 503, reason: 'OK', reusable: true }],
    [`HTTP/1.1 503 ${long}`, { status: 503, reason: long, reusable: true }],
    ['HTTP/1.1 200 OKay', { status: 200, reason: 'OKay', reusable: true }],
    ['HTTP/1.1 2000 OK', { end: 'malformed' }],
  ];
  for (const [first] of lines) {
    for (const [line, expected] of lines) {
      read([`${first}\r\nContent-Length: 0\r\n\r\n`]);
      expect([first, line, read([`${line}\r\nContent-Length: 0\r\n\r\n`])]).toMatchObject([
        first,
        line,
        expected,
      ]);
    }
  }
});

const pieces = fc.constantFrom(
  ...[OK, 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.0 200 OK\r\n', CHUNKED],
  ...[
    'Content-Length: 5\r\n',
    'Connection: close\r\n',
    'X: y\r\n',
    `X: ${'y'.repeat(90)}\r\n`,
    '\r\n',
    '\r',
    '\n',
  ],
  ...['5\r\nabcde\r\n', '5;x\r\n', 'abcde', '0\r\n', '0\r\n\r\n', '00000001\r\n', ' ', ';', 'f', '-', '\0'],
);

const stream = fc.oneof(
  fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
  fc.array(pieces, { maxLength: 8 }).map((parts) => CHUNKED + parts.join('')),
  fc.constantFrom(...HEADS, ...CHUNKS),
);

test('any stream is read in the same way however it comes', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat()), fc.boolean(), (text, cuts, ends) => {
      const at = cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b);
      const parts = [0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length));
      const expected = read([text], ends);
      expect(read(parts, ends)).toEqual(expected);
      expect(read([...text], ends)).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});

const octets = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
/** Nearly an answer. */
const damaged = fc
  .tuple(stream, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }))
  .map(([text, changes]) => {
    const bytes = Buffer.from(text, 'latin1');
    for (const [at, octet] of changes) if (bytes.length > 0) bytes[at % bytes.length] = octet;
    return bytes.toString('latin1');
  });
const anything = fc.oneof(
  octets,
  damaged,
  fc.tuple(stream, octets).map((parts) => parts.join('')),
);

test('nothing that a node sends, in whatever pieces, makes it throw', () => {
  fc.assert(
    fc.property(anything, fc.array(fc.nat()), fc.boolean(), (text, cuts, ends) => {
      const at = cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b);
      const { status } = read(
        [0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length)),
        ends,
      );
      expect(status === null || (status >= 200 && status < 600)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

const NAMES = [
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Keep-Alive',
  'Trailer',
  'Date',
  'Location',
  'X-Druid-Query-Id',
];
const line = fc
  .tuple(fc.oneof(fc.constantFrom(...NAMES), fc.string()), fc.constantFrom(':', ': ', ''), octets)
  .map((parts) => parts.join(''));

test('no lines make the reader of a head throw, or go on for ever', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999 }),
      fc.integer({ min: 0, max: 1 }),
      fc.array(fc.tuple(line, fc.constantFrom('\r\n', '\n', '')), { maxLength: 8 }),
      (status, minor, lines) => {
        const head = readAnswerHead(status, '', minor, lines.flat().join(''));
        expect(head === null || head.status === status).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
});

test.each([';a', ';a=b', ';a="b;c\\"d"', ';a="";b', ' ; a = b', ';a=b;c=d;e'])(
  'a chunk size with a sound extension is read: 3%s',
  (extension) => {
    expect(read([`${CHUNKED}3${extension}\r\nabc\r\n0${extension}\r\n\r\n`])).toMatchObject({
      end: 'whole',
      body: 'abc',
    });
  },
);

test.each([';', ';;a', ';a;', '; ', ';=b', ';a=', ';a="b', ';a="b"c', ';a b', ';(a', ' ', ';a ', ';a="b\\"'])(
  'a chunk size with an extension that is none is malformed, also at the end: 3%s',
  (extension) => {
    expect(read([`${CHUNKED}3${extension}\r\nabc\r\n0\r\n\r\n`])).toMatchObject({ end: 'malformed' });
    expect(read([`${CHUNKED}0${extension}\r\n\r\n`])).toMatchObject({ end: 'malformed' });
  },
);
