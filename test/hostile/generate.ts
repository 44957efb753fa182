import { gzipSync } from 'node:zlib';
import { LOCAL_PATHS } from '../../src/routing/path-table.ts';
import type { Departure } from './client.ts';
import { ANSWER_HEADER, ANSWERS, SOUND_ANSWERS } from './odd-answers.ts';
import type { Random } from './random.ts';

/** One request as it goes over the wire. Texts have one character an octet. */
export interface GeneratedRequest {
  /** For whoever has to find out what it was. */
  readonly name: string;
  readonly method: string;
  /** Each in a write of its own, a moment after the one before. */
  readonly pieces: readonly Buffer[];
  readonly departure: Departure | null;
  readonly leavesAfterMs: number;
  /** It is one request, right or wrong, so that more than one answer is wrong. */
  readonly single: boolean;
}

const MB = 1_000_000;
const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** JSON texts of strings, without their quotes. */
const STRINGS: readonly string[] = [
  ...[
    '\\ud800',
    '\\udc00',
    'x\\ud83d',
    '\\udc00\\ud800',
    '\\ud83d\\ude00',
    '\xed\xa0\x80',
    '\xff\xfe',
    '\xc0\xaf',
  ],
  ...[
    '',
    ' ',
    '.',
    '..',
    '/',
    '../..',
    '%',
    '%2e%2e',
    '%ff',
    'a%00b',
    '?',
    '#',
    '\\u0000',
    '\0',
    '\\n',
    '\n',
    '\\r\\nX: y',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '\\u202e',
    '\\u2028',
    '\\u009b',
    '\\"',
    '\\\\',
    '\\',
  ],
  ...[
    '\\u',
    '\\ud8',
    '\\x41',
    bytesOf('ключ'),
    bytesOf('😀'),
    'x'.repeat(255),
    'x'.repeat(257),
    'plain',
    '0',
    '1e9',
  ],
  ...['hot', 'druid/broker-hot', 'SELECT 1', 'select * from \\"t\\"', '2020-01-01/2021-01-01', '-1/+1'],
];
const NUMBERS: readonly string[] = [
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '0.1',
    '1e308',
    '1e309',
    '-1e400',
    '1e-400',
    '2147483647',
    '2147483648',
    '4294967296',
  ],
  ...[
    '2147478648',
    '99999999999',
    '9007199254740993',
    '9'.repeat(5_000),
    'NaN',
    'Infinity',
    '0x10',
    '01',
    '+1',
    '.5',
  ],
];
export const TIMEOUTS: readonly string[] = [
  ...[
    '1',
    '1',
    '1',
    '20',
    '300',
    '0',
    '-1',
    '0.5',
    '1e308',
    '1e309',
    '2147483647',
    '2147478648',
    '99999999999',
  ],
  ...[
    '9007199254740991',
    '9007199254740993',
    '"1"',
    '"300"',
    '"1e308"',
    '" 5 "',
    '"0x10"',
    '""',
    '"x"',
    'true',
    'null',
  ],
  ...['[]', '[1]', '{}', '"2147483647"', '"Infinity"', 'NaN'],
];

function text(random: Random): string {
  if (random.chance(0.01)) return `"${random.pick(['x', '\\ud800', '\xff', '/', '.']).repeat(MB / 4)}"`;
  return `"${random.pick(STRINGS)}"`;
}

function nested(random: Random): string {
  const depth = random.pick([10, 1_000, 20_000, 100_000]);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['{"query":', '}'],
    ['{"queryType":"union","dataSource":', '}'],
  ] as const);
  return open.repeat(depth) + (random.chance(0.5) ? `1${close.repeat(depth)}` : '');
}

function value(random: Random, depth = 0): string {
  switch (random.below(depth > 2 ? 3 : 7)) {
    case 0:
      return text(random);
    case 1:
      return random.pick(NUMBERS);
    case 2:
      return random.pick(['true', 'false', 'null']);
    case 3:
      return `[${list(random, () => value(random, depth + 1))}]`;
    case 4:
      return `{"__proto__":${value(random, depth + 1)},"constructor":${value(random, depth + 1)}}`;
    case 5:
      return random.chance(0.1) ? nested(random) : '{}';
    default:
      return `{${list(random, () => `${text(random)}:${value(random, depth + 1)}`)}}`;
  }
}

function list(random: Random, make: () => string): string {
  return Array.from({ length: random.below(4) }, make).join(',');
}

function context(random: Random): string {
  if (random.chance(0.05)) return value(random);
  const members: string[] = [];
  for (const name of ['queryId', 'sqlQueryId', 'dartQueryId', 'connectionId']) {
    if (random.chance(0.6)) members.push(`"${name}":${random.chance(0.9) ? text(random) : value(random)}`);
  }
  if (random.chance(0.5)) members.push(`"timeout":${random.pick(TIMEOUTS)}`);
  if (random.chance(0.3))
    members.push(`"priority":${random.chance(0.5) ? random.pick(NUMBERS) : value(random)}`);
  if (random.chance(0.3)) members.push(`"brokerService":${text(random)}`);
  if (random.chance(0.2)) members.push(`"engine":${random.pick(['"msq-dart"', '"native"', value(random)])}`);
  if (random.chance(0.2)) members.push(`"team":${value(random)}`);
  if (random.chance(0.1)) members.push(`"__proto__":{"timeout":1,"queryId":"p"}`);
  return `{${members.join(',')}}`;
}

/** A length-delimited field of protobuf. */
function field(number: number, content: string): string {
  const size: number[] = [];
  let left = content.length;
  do {
    size.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>>= 7;
  } while (left > 0);
  return String.fromCharCode((number << 3) | 2, ...size) + content;
}

function garbage(random: Random, length: number): string {
  return Array.from({ length }, () => String.fromCharCode(random.below(256))).join('');
}

export interface Body {
  readonly kind: string;
  readonly content: string;
  readonly type: string;
  readonly paths: readonly string[];
}

const NATIVE = ['/druid/v2', '/druid/v2/', '/druid/v2/candidates', '/druid/v2/native'];
const SQL = [
  '/druid/v2/sql',
  '/druid/v2/sql/',
  '/druid/v2/sql/task',
  '/druid/v2/sql/statements',
  '/druid/v2/sql/dart',
];
const AVATICA = ['/druid/v2/sql/avatica', '/druid/v2/sql/avatica/', '/druid/v2/sql/avatica-protobuf/'];
const TASKS = ['/druid/indexer/v1/task', '/druid/indexer/v1/supervisor', '/druid/coordinator/v1/config'];
const JSON_TYPE = 'application/json';

export const BODIES: readonly ((random: Random) => Body)[] = [
  (random) => ({
    kind: 'native',
    type: JSON_TYPE,
    paths: NATIVE,
    content:
      `{"queryType":${random.pick(['"scan"', '"timeBoundary"', '"topN"', value(random)])},` +
      `"dataSource":${random.chance(0.5) ? '"t"' : value(random)},` +
      `"intervals":${random.chance(0.5) ? `[${list(random, () => text(random))}]` : value(random)},` +
      `"context":${context(random)}}`,
  }),
  (random) => ({
    kind: 'sql',
    type: JSON_TYPE,
    paths: SQL,
    content: `{"query":${random.chance(0.8) ? '"SELECT 1"' : text(random)},"context":${context(random)}}`,
  }),
  (random) => ({
    kind: 'dart',
    type: JSON_TYPE,
    paths: SQL,
    content: `{"query":"SELECT 1","context":{"engine":"msq-dart","sqlQueryId":${text(random)},"dartQueryId":${text(random)},"timeout":${random.pick(TIMEOUTS)}}}`,
  }),
  (random) => ({
    kind: 'sql with two contexts',
    type: JSON_TYPE,
    paths: SQL,
    content: `{"context":${context(random)},"query":"x","context":${context(random)}}`,
  }),
  (random) => ({
    kind: 'avatica',
    type: JSON_TYPE,
    paths: AVATICA,
    content: random.pick([
      `{"request":"openConnection","connectionId":${text(random)},"info":${value(random)}}`,
      `{"request":"execute","statementHandle":{"connectionId":${text(random)},"id":${random.pick(NUMBERS)}}}`,
      `{"request":"prepareAndExecute","connectionId":${value(random)},"statementHandle":${value(random)}}`,
    ]),
  }),
  (random) => {
    const request = random.pick(['OpenConnectionRequest', 'ExecuteRequest', 'SchemasRequest', 'X', '']);
    const id = random.pick([...STRINGS, garbage(random, 20), 'x'.repeat(100_000)]);
    const message = random.pick([
      field(1, id),
      field(1, field(1, id)),
      field(3, id),
      garbage(random, 30),
      '\xff'.repeat(20),
    ]);
    const whole = field(1, `org.apache.calcite.avatica.proto.Requests$${request}`) + field(2, message);
    return {
      kind: 'avatica-protobuf',
      type: 'application/x-google-protobuf',
      paths: ['/druid/v2/sql/avatica-protobuf', '/druid/v2/sql/avatica-protobuf/'],
      content: random.chance(0.2) ? whole.slice(0, random.below(whole.length)) : whole,
    };
  },
  (random) => ({ kind: 'sql text', type: 'text/plain', paths: SQL, content: random.pick(STRINGS).repeat(3) }),
  (random) => ({
    kind: 'form',
    type: 'application/x-www-form-urlencoded',
    paths: SQL,
    content: `query=${random.pick(STRINGS)}&context=%${random.pick(STRINGS)}`,
  }),
  (random) => ({
    kind: 'smile',
    type: 'application/x-jackson-smile',
    paths: [...NATIVE, ...SQL],
    content: `:)\n\x01\xfa\x86context\xfa\x86queryId"${garbage(random, 60)}`,
  }),
  (random) => ({
    kind: 'garbage',
    type: JSON_TYPE,
    paths: [...NATIVE, ...SQL],
    content: garbage(random, 200),
  }),
  (random) => ({
    kind: 'any JSON',
    type: JSON_TYPE,
    paths: [...NATIVE, ...SQL, ...TASKS],
    content: value(random),
  }),
  (random) => ({
    kind: 'deep',
    type: JSON_TYPE,
    paths: [...NATIVE, ...SQL],
    content: `{"context":{"queryId":"x","timeout":1},"a":${nested(random)}}`,
  }),
  (random) => ({
    kind: 'half JSON',
    type: JSON_TYPE,
    paths: SQL,
    content: `{"query":"x","context":${context(random)}}`.slice(0, random.below(60)),
  }),
  (random) => ({
    kind: 'UTF-16',
    type: JSON_TYPE,
    paths: SQL,
    content: Buffer.from(`\ufeff{"query":"x","context":${context(random)}}`, 'utf16le').toString('latin1'),
  }),
  (random) => ({
    kind: 'task',
    type: JSON_TYPE,
    paths: TASKS,
    content: `{"type":"index","context":${context(random)}}`,
  }),
  (random) => ({
    kind: 'large',
    type: JSON_TYPE,
    paths: [...NATIVE, ...SQL, ...TASKS],
    content: `{"query":"${'y'.repeat(random.pick([20_000, 300_000, 1_500_000]))}","context":${context(random)}}`,
  }),
];

/** 64 MiB that are 64 KiB. */
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 }).toString('latin1');

/** What a body becomes on its way, with the name of its coding. */
function encoded(content: string, random: Random): { coding: string | null; sent: string } {
  if (random.chance(0.7)) return { coding: null, sent: content };
  const zipped = (plain: string): string =>
    gzipSync(Buffer.from(plain, 'latin1'), { level: 1 }).toString('latin1');
  const packed = zipped(content);
  switch (random.below(10)) {
    case 0:
      return { coding: 'gzip', sent: content };
    case 1:
      return { coding: 'gzip', sent: packed.slice(0, random.below(packed.length)) };
    case 2:
      return { coding: 'gzip', sent: BOMB };
    case 3:
      return { coding: random.pick(['gzip', 'gzip, gzip']), sent: zipped(packed) };
    case 4:
      return { coding: 'gzip', sent: packed.slice(0, -8) + garbage(random, 8) };
    case 5:
      return { coding: 'gzip', sent: packed + garbage(random, 40) };
    case 6:
      return { coding: 'gzip', sent: packed + packed };
    case 7:
      return {
        coding: random.pick(['br', 'deflate', 'x-gzip', 'identity', 'GZIP', '\xff', '']),
        sent: packed,
      };
    default:
      return { coding: 'gzip', sent: packed };
  }
}

const PAGES = [
  '/',
  '/unified-console.html',
  '/index.html',
  '/console-config.js',
  '/favicon.png',
  '/public/x.js',
  '/assets/%ff',
  '/public/..a',
  '/public/%2e%2e/x',
];
const READS = [
  ...[
    '/druid/v2/datasources',
    '/druid/v2/datasources/t',
    '/druid/v2/sql/queries',
    '/druid/v1/lookups/introspect/x',
  ],
  ...[
    '/druid/v2/sql/statements/q',
    '/druid/v2/sql/statements/q/results?page=0',
    '/druid/coordinator/v1/datasources',
  ],
  ...[
    '/druid/coordinator/v1/leader',
    '/druid/coordinator/v1/isLeader',
    '/druid/coordinator/v1/rules',
    '/druid/indexer/v1/leader',
  ],
  ...[
    '/druid/indexer/v1/task/t/log?offset=-9',
    '/druid/indexer/v1/tasks',
    '/druid/indexer/v1/supervisor?full',
  ],
  ...[
    '/druid-ext/basic-security/authentication/db/x/users',
    '/proxy/coordinator/status',
    '/proxy/overlord/druid/indexer/v1/tasks',
  ],
  ...[
    '/druid/indexer/v1/action',
    '/druid-internal/x',
    '/druid/worker/v1/tasks',
    '/druid/listen/x',
    '/druid/coordinator/v1/cluster/x',
  ],
  ...LOCAL_PATHS.keys(),
];
const IDS = [
  'x',
  'a-b_c.d~e',
  '0',
  '%20',
  '%25',
  'a%2Fb',
  '__proto__',
  'x'.repeat(30_000),
  '*',
  '~',
  '%E2%82%AC',
];
export const ODD_IDS = [
  '%',
  '%ff',
  '%00',
  '%2e%2e',
  '..',
  '.',
  '%ed%a0%80',
  '%C0%AF',
  '\xff',
  ';x',
  'x'.repeat(90_000),
];
/** What follows a path, as it should be and as it should not. */
const QUERIES = ['', '', '', '?', '?pretty', '?a=%25&b', `?${'a'.repeat(30_000)}`];
const ODD_QUERIES = ['?a=%', '?\xff', '?%00', `?${'a'.repeat(90_000)}`, '#x', '?a b', '%'];
const TARGETS = [
  '*',
  '',
  '//',
  '/..',
  '/%',
  '/\0',
  '\\',
  'http://a/druid/v2',
  'http://',
  'a:80',
  '/druid//v2',
  '/druid/v2/../../x',
  '/druid/%76%32',
  '/druid/v2;x',
  `/${'a/'.repeat(20_000)}`,
];

export function targetOf(random: Random, paths: readonly string[]): string {
  if (random.chance(0.03)) return random.pick(TARGETS);
  return random.pick(paths) + random.pick(random.chance(0.04) ? ODD_QUERIES : QUERIES);
}

const TRACE_PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const HEADERS: readonly ((random: Random) => string)[] = [
  () => 'Connection: close',
  () => 'Connection: keep-alive, content-length, host, authorization, \xff, __proto__',
  () => 'TE: trailers',
  () => 'TE: gzip;q=\xff, trailers',
  () => 'Accept-Encoding: gzip',
  () => 'Accept: application/x-jackson-smile, \xff',
  (random) =>
    `Authorization: Basic ${random.pick(['YTpi', '=', '\xff', 'OmI=', '____', 'x'.repeat(30_000), ''])}`,
  (random) =>
    `traceparent: ${random.pick([TRACE_PARENT, `${TRACE_PARENT}\r\n${random.pick(['TraceParent: x', `traceparent: ${TRACE_PARENT}`])}`, TRACE_PARENT.replace('00', 'ff'), TRACE_PARENT.toUpperCase(), '\xff', '', '00-'.repeat(10_000)])}`,
  (random) =>
    `traceparent: ${TRACE_PARENT}\r\ntracestate: ${random.pick(['a=b', '\xff', ',,,', '=', 'a=b,'.repeat(5_000), ''])}`,
  (random) => `Cookie: ${random.pick(['a=b', '\xff', 'x'.repeat(30_000), ';;'])}`,
  (random) => `X-Request-Id: ${random.pick(STRINGS).replaceAll(/[\r\n\0]/g, '')}`,
  (random) => `X-Druid-Query-Id: ${random.pick(ODD_IDS.slice(0, -1))}`,
  (random) =>
    `X-Forwarded-For: ${random.pick(['1.2.3.4', '1.2.3.4, ::1', 'x', '', ',,,', '\xff', '[::1]:80', '1.2.3.4,'.repeat(5_000)])}`,
  (random) => `X-Forwarded-Proto: ${random.pick(['https', 'x', '\xff', 'http, https'])}`,
  (random) =>
    `Forwarded: ${random.pick(['for=1.2.3.4', 'for="', '\xff', ';;;', `for=${'x'.repeat(10_000)}`])}`,
  (random) => `Expect: ${random.pick(['100-continue', 'x', '', '100-continue, x'])}`,
  (random) => `Upgrade: ${random.pick(['websocket', 'h2c', '\xff'])}`,
  (random) => `Connection: Upgrade\r\nUpgrade: ${random.pick(['websocket', 'h2c', 'x'])}`,
  (random) => `Range: bytes=${random.pick(['0-', '-1', '9-1', '\xff'])}`,
  (random) =>
    `request: {"request":"openConnection","connectionId":"${random.pick(STRINGS).replaceAll(/[\r\n\0]/g, '')}"}`,
  (random) => `X-Team: ${random.pick(['bi', '', '\xff'])}`,
  (random) => `Origin: ${random.pick(['null', 'http://[', 'https://x'])}`,
  () => 'Access-Control-Request-Method: DELETE',
  () => '__proto__: x\r\nconstructor: y\r\nhasOwnProperty: z',
  () => 'X-Many: y\r\n'.repeat(500).trimEnd(),
  () => `X-Long: ${'z'.repeat(40_000)}`,
];
/** None of these may be taken for what they are not. */
const ILLEGAL_HEADERS: readonly ((random: Random) => string)[] = [
  () => `X-Too-Long: ${'z'.repeat(90_000)}`,
  () => 'A b: c',
  () => ': c',
  () => 'A: b\r\n c',
  () => 'A: b\0c',
  () => 'A: b\rc',
  () => 'Host: b',
  (random) =>
    `Content-Type: ${random.pick(['application/json; charset=utf-16', '\xff', '', 'x'.repeat(10_000), JSON_TYPE])}`,
];
const ODD_HOSTS = ['Host: [::1]:80\r\n', 'Host: \r\n', 'Host: u@h/p?\r\n', '', 'Host: \xff\r\n'];
const ODD_METHODS = [
  'HEAD',
  'DELETE',
  'PUT',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'QUERY',
  'M-SEARCH',
  'get',
  'G\xffT',
  '',
  'X'.repeat(5_000),
];
const VERSIONS = ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'RTSP/1.0', 'HTTP/1.1x', '', 'http/1.1'];

/** A body's headers and its bytes as they go over the wire. `single`: right or wrong, it is one request. */
function framed(sent: string, random: Random): { headers: string; wire: string; single: boolean } {
  if (random.chance(0.6)) return { headers: `Content-Length: ${sent.length}\r\n`, wire: sent, single: true };
  if (random.chance(0.8)) {
    let wire = '';
    const piece = Math.max(1, Math.ceil(sent.length / (1 + random.below(20))));
    const extension = random.chance(0.1) ? random.pick([';a=b', ';a="b"', `;${'x'.repeat(200)}`]) : '';
    for (let at = 0; at < sent.length; at += piece) {
      const part = sent.slice(at, at + piece);
      wire += `${part.length.toString(16)}${extension}\r\n${part}\r\n`;
    }
    wire += `0\r\n${random.chance(0.1) ? random.pick(['A: b\r\n', '__proto__: c\r\n', 'Content-Length: 3\r\n', '\xff: d\r\n']) : ''}\r\n`;
    return { headers: 'Transfer-Encoding: chunked\r\n', wire, single: true };
  }
  switch (random.below(7)) {
    case 0:
      return {
        headers: `Content-Length: ${sent.length + 1 + random.below(1_000)}\r\n`,
        wire: sent,
        single: true,
      };
    case 1:
      return { headers: `Content-Length: ${Math.floor(sent.length / 2)}\r\n`, wire: sent, single: false };
    case 2:
      return {
        headers: `Content-Length: ${random.pick(['-1', '+5', '0x5', '99999999999999999999', ''])}\r\n`,
        wire: sent,
        single: true,
      };
    case 3:
      return {
        headers: `Content-Length: ${sent.length}\r\nTransfer-Encoding: chunked\r\n`,
        wire: sent,
        single: true,
      };
    case 4:
      return {
        headers: 'Transfer-Encoding: chunked\r\n',
        wire: `${random.pick(['zz', '-1', 'ffffffffffffffff', '5 ', ''])}\r\n${sent}\r\n0\r\n\r\n`,
        single: true,
      };
    case 5:
      return {
        headers: 'Transfer-Encoding: chunked\r\n',
        wire: `${sent.length.toString(16)}\r\n${sent}x\r\n0\r\n\r\n`,
        single: true,
      };
    default:
      return { headers: '', wire: sent, single: false };
  }
}

/** What a request is meant to be, before anything is done to it. */
export interface Plan {
  readonly kind: string;
  readonly method: string;
  readonly target: string;
  readonly body: Body | null;
  /** Header lines that say to nodes how they are to answer, and what that is. */
  readonly asks?: { readonly lines: string; readonly answer: string };
}

export function generateRequest(random: Random): GeneratedRequest {
  const body = random.chance(0.6) ? random.pick(BODIES)(random) : null;
  const kind = body?.kind ?? random.pick(['read', 'read', 'page', 'cancel', 'local', 'lookup']);
  const paths: readonly string[] =
    body?.paths ??
    (kind === 'page'
      ? PAGES
      : kind === 'cancel'
        ? (random.chance(0.8) ? IDS : ODD_IDS).flatMap((id) => [
            `/druid/v2/${id}`,
            `/druid/v2/sql/${id}`,
            `/druid/v2/sql/statements/${id}`,
          ])
        : kind === 'local'
          ? [...LOCAL_PATHS.keys()]
          : READS);
  const usual = body !== null ? 'POST' : kind === 'cancel' ? 'DELETE' : 'GET';
  const answer = random.chance(0.3) ? random.below(SOUND_ANSWERS.length) : random.below(ANSWERS.length);
  const asks = { lines: `${ANSWER_HEADER}: ${answer}\r\n`, answer: ANSWERS[answer]?.name ?? '' };
  return written(
    { kind, method: methodOf(random, usual), target: targetOf(random, paths), body, asks },
    random,
  );
}

/** The usual one, or seldom any other. */
export function methodOf(random: Random, usual: string): string {
  return random.chance(0.94) ? usual : random.pick(ODD_METHODS);
}

/** A plan as it goes over the wire: with more headers, in a version, coded, framed, cut off, and in pieces. */
export function written({ kind, method, target, body, asks }: Plan, random: Random): GeneratedRequest {
  const version = random.chance(0.97) ? 'HTTP/1.1' : random.pick(VERSIONS);
  const extra = Array.from(
    { length: random.pick([0, 0, 0, 1, 1, 2, 4]) },
    () => `${random.pick(random.chance(0.03) ? ILLEGAL_HEADERS : HEADERS)(random)}\r\n`,
  );
  const { coding, sent } = body === null ? { coding: null, sent: '' } : encoded(body.content, random);
  const { headers, wire, single } =
    body === null && random.chance(0.95) ? { headers: '', wire: '', single: true } : framed(sent, random);
  const whole =
    `${method} ${target} ${version}\r\n${random.chance(0.96) ? 'Host: a\r\n' : random.pick(ODD_HOSTS)}${asks?.lines ?? ''}` +
    (body === null ? '' : `Content-Type: ${body.type}\r\n`) +
    (coding === null ? '' : `Content-Encoding: ${coding}\r\n`) +
    `${extra.join('')}${headers}\r\n${wire}`;
  const cut = random.chance(0.04) ? random.below(whole.length) : whole.length;
  const leaves = random.chance(0.3);
  const meant = `${kind} ${method.slice(0, 20)} ${JSON.stringify(target.slice(0, 60))}`;
  return {
    name: `${meant} ${coding ?? ''}${asks === undefined ? '' : ` for ${asks.answer}`}`,
    method,
    pieces: pieces(whole.slice(0, cut), random),
    departure: leaves ? random.pick(['reset', 'half-close'] as const) : null,
    leavesAfterMs: random.pick([0, 1, 5, 30, 100, 300, 700]),
    single,
  };
}

/** In one piece or in a few, anywhere. */
function pieces(whole: string, random: Random): Buffer[] {
  const bytes = Buffer.from(whole, 'latin1');
  if (random.chance(0.6)) return [bytes];
  const cuts = Array.from({ length: 1 + random.below(4) }, () => random.below(bytes.length + 1)).sort(
    (a, b) => a - b,
  );
  return [0, ...cuts].map((from, at) => bytes.subarray(from, cuts[at] ?? bytes.length));
}
