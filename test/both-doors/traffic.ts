import fc from 'fast-check';

const targets = fc.constantFrom(
  '/druid/v2/sql',
  '/druid/v2?pretty',
  '/druid/v2/a%20b,c=d?e=[f;g]&g="h"',
  '/druid/coordinator/v1/leader',
  '/druid/indexer/v1/task',
  '/status/health',
  '/proxy/enabled',
);

const lines = fc.constantFrom(
  'Accept: */*',
  'accept-encoding: gzip, deflate',
  'Authorization: Basic YTpi',
  'Cookie: a=b; c=d',
  'Content-Type: application/json',
  'X-Latin: \xe4\xf6',
  'X-Tab: a\tb',
  'X-Request-Id: mine-1',
  'X-Forwarded-For: 1.2.3.4',
  'Via: 1.1 other',
  'Connection: keep-alive',
  'Connection: Upgrade\r\nUpgrade: h2c',
  'Keep-Alive: timeout=5',
  'TE: trailers',
  'X-Empty:',
  'X-Blanks:   a  ',
  'Referer:x',
);

const words = fc.constantFrom(
  '',
  'a',
  '{"query":"SELECT 1"}',
  'GET / HTTP/1.1\r\n\r\n',
  '\x00\xff',
  'x'.repeat(3_000),
);

/** A request that nobody could find fault with. */
const request = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    target: targets,
    lines: fc.uniqueArray(lines, { maxLength: 6 }),
    body: words,
    framing: fc.constantFrom('length', 'length', 'chunked', 'extensions'),
  })
  .map(({ method: asked, target, lines: headers, body, framing }) => {
    const local = target.startsWith('/status') || target.startsWith('/proxy');
    const method = local ? 'GET' : asked === 'DELETE' && target.startsWith('/druid/v2') ? 'POST' : asked;
    const head = [`${method} ${target} HTTP/1.1`, 'Host: a.example:8888', ...headers];
    if (method === 'GET' || body === '') return `${head.join('\r\n')}\r\n\r\n`;
    if (framing === 'length') {
      return `${[...head, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`;
    }
    const extension = framing === 'extensions' ? ';a="b"' : '';
    const half = Math.ceil(body.length / 2);
    const chunks = [body.slice(0, half), body.slice(half)]
      .filter((chunk) => chunk !== '')
      .map((chunk) => `${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`);
    return `${[...head, 'Transfer-Encoding: chunked'].join('\r\n')}\r\n\r\n${chunks.join('')}0\r\n\r\n`;
  });

const pipeline = fc.array(request, { minLength: 1, maxLength: 4 }).map((requests) => requests.join(''));

/** What is put in somewhere: bytes and lines that matter to a reader of HTTP. */
const inserted = fc.oneof(
  fc.constantFrom(
    ...[
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      ' ',
      '\t',
      '\0',
      ':',
      ';',
      ',',
      '-',
      '+',
      '0',
      '1',
      'f',
      '\x7f',
      '\x80',
    ],
    ...['Content-Length: 3\r\n', 'Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n', 'Host: b\r\n'],
    ...['Connection: close\r\n', 'Expect: 100-continue\r\n', 'Connection: content-length\r\n', ' folded\r\n'],
    ...['Connection: Upgrade\r\nUpgrade: x\r\n', 'Upgrade: x\r\n'],
    ...[
      'Transfer-Encoding: identity\r\n',
      'Content-Length: 0x3\r\n',
      '0\r\n\r\n',
      'FFFFFFFF\r\n',
      ' HTTP/1.1\r\n',
      ' RTSP/1.0\r\n',
      'RTSP',
      'Host: a b\r\n',
      'Origin: null\r\n',
      'Sec-Fetch-Site: cross-site\r\n',
      'X_Forwarded_For: 1.2.3.4\r\n',
    ],
  ),
  fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
);

type Change = (text: string) => string;

const at = fc.double({ min: 0, max: 1, noNaN: true });
const place = (text: string, share: number): number => Math.floor(share * text.length);

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(at, inserted).map(
    ([share, piece]): Change =>
      (text) =>
        text.slice(0, place(text, share)) + piece + text.slice(place(text, share)),
  ),
  // A line of its own, so that it is a header more often than not.
  fc.tuple(at, inserted).map(
    ([share, piece]): Change =>
      (text) => {
        const end = text.indexOf('\r\n', place(text, share));
        return end === -1 ? text + piece : text.slice(0, end + 2) + piece + text.slice(end + 2);
      },
  ),
  fc.tuple(at, fc.integer({ min: 1, max: 6 })).map(
    ([share, length]): Change =>
      (text) =>
        text.slice(0, place(text, share)) + text.slice(place(text, share) + length),
  ),
  fc.tuple(at, fc.integer({ min: 0, max: 7 })).map(
    ([share, bit]): Change =>
      (text) => {
        const where = Math.min(place(text, share), text.length - 1);
        const code = text.charCodeAt(where) ^ (1 << bit);
        return text.slice(0, where) + String.fromCharCode(code) + text.slice(where + 1);
      },
  ),
  // A line twice.
  at.map(
    (share): Change =>
      (text) => {
        const from = text.lastIndexOf('\r\n', place(text, share)) + 2;
        const to = text.indexOf('\r\n', from) + 2;
        return from < 2 || to < 2 ? text : text.slice(0, to) + text.slice(from, to) + text.slice(to);
      },
  ),
  fc.constant<Change>((text) => text.replace('\r\n', '\n')),
  fc.constant<Change>((text) => text.replace(/Content-Length: (\d+)/, 'Content-Length: 1$1')),
  fc.constant<Change>((text) => text.replace(/^([a-z-]+): /im, '$1 : ')),
);

function split(text: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const places = cuts.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b);
  return [0, ...places]
    .map((from, i) => bytes.subarray(from, places[i] ?? bytes.length))
    .filter((piece) => piece.length > 0);
}

const cuts = fc.array(at, { maxLength: 4 });

/** Sound requests, one after the other, in pieces. */
export const soundTraffic = fc.tuple(pipeline, cuts).map(([text, places]) => split(text, places));

/** Requests that something has happened to on the way. */
export const anyTraffic = fc
  .tuple(pipeline, fc.array(change, { minLength: 1, maxLength: 3 }), cuts)
  .map(([text, changes, places]) =>
    split(
      changes.reduce((changed, one) => one(changed), text),
      places,
    ),
  );
