import type net from 'node:net';
import type { ReceivedRequest } from '../kit/upstream/fake-upstream.ts';

/** One way to answer a request, wrong more often than not. */
export interface OddAnswer {
  readonly name: string;
  /** `others` are origins of nodes that might be meant. */
  readonly play: (socket: net.Socket, request: ReceivedRequest, others: readonly string[]) => void;
}

type Play = OddAnswer['play'];

function say(socket: net.Socket, text: string): void {
  if (socket.writable) socket.write(Buffer.from(text, 'latin1'));
}

/** Goes on until the connection is over or `step` says false. */
function repeat(socket: net.Socket, milliseconds: number, step: () => boolean): void {
  const timer = setInterval(() => {
    if (socket.writable && step()) return;
    clearInterval(timer);
  }, milliseconds);
  socket.once('close', () => clearInterval(timer));
}

function later(socket: net.Socket, milliseconds: number, step: () => void): void {
  const timer = setTimeout(step, milliseconds);
  socket.once('close', () => clearTimeout(timer));
}

const answers: OddAnswer[] = [];
function add(name: string, play: Play): void {
  answers.push({ name, play });
}
/** These bytes, one character an octet. */
function bytes(name: string, text: string, then?: 'end' | 'reset'): void {
  add(name, (socket) => {
    say(socket, text);
    if (then === 'end') socket.end();
    if (then === 'reset') socket.resetAndDestroy();
  });
}
/** A header line or more in an answer that is all right otherwise. */
function lines(name: string, text: string): void {
  bytes(name, `HTTP/1.1 200 OK\r\n${text}\r\nContent-Length: 4\r\n\r\n"ok"`);
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const LONG = 'x'.repeat(60_000);
const LONGER = 'x'.repeat(70_000);

for (const status of [
  ...['000', '0', '-1', '-200', '1', '20', '2x0', '0200', '2000', 'abc', '\x00\x00\x00', '１００'],
  ...['099', '100', '101', '102', '103', '199', '200', '201', '204', '205', '206', '226', '299'],
  ...[
    '300',
    '301',
    '303',
    '304',
    '308',
    '399',
    '400',
    '401',
    '403',
    '404',
    '407',
    '408',
    '413',
    '421',
    '429',
  ],
  ...['499', '500', '501', '502', '503', '504', '599', '600', '666', '700', '999', '1000'],
]) {
  bytes(`status ${JSON.stringify(status)}`, `HTTP/1.1 ${status} Odd\r\nContent-Length: 4\r\n\r\n"ok"`);
  add(`status ${JSON.stringify(status)} slowly`, (socket) => {
    say(socket, `HTTP/1.1 ${status} Odd\r\nContent-Length: 4\r\n\r\n`);
    later(socket, 700, () => say(socket, '"ok"'));
  });
  bytes(`status ${JSON.stringify(status)} alone`, `HTTP/1.1 ${status}\r\n\r\n`, 'end');
}
for (const status of [204, 205, 304]) {
  bytes(
    `${status} with chunks`,
    `HTTP/1.1 ${status} x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  );
}
bytes('101 to a websocket', 'HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi');
bytes('100 and then 200', `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 2\r\n\r\n{}`);
bytes('103 and then 200', `HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n${OK}Content-Length: 2\r\n\r\n{}`);
bytes('1,000 times 100', `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000)}${OK}Content-Length: 2\r\n\r\n{}`);
for (const status of [100, 199]) {
  add(`${status} for ever`, (socket) =>
    repeat(socket, 100, () => {
      say(socket, `HTTP/1.1 ${status} Wait\r\n\r\n`);
      return true;
    }),
  );
}

for (const [name, reason] of Object.entries({
  'no reason': '',
  'a blank for a reason': ' ',
  'a long reason': LONG,
  'a reason too long': LONGER,
  'obs-text in the reason': '\x80\xfe\xff',
  'a control character in the reason': 'a\x01b',
  'ESC in the reason': '\x1b[31mred',
  'NUL in the reason': 'a\0b',
  'DEL in the reason': 'a\x7fb',
  'a tab in the reason': '\ta\t',
  'CR in the reason': 'a\rX-Injected: b',
  'LF in the reason': 'a\nX-Injected: b',
})) {
  bytes(name, `HTTP/1.1 200 ${reason}\r\nContent-Length: 4\r\n\r\n"ok"`);
  bytes(`${name}, 503`, `HTTP/1.1 503 ${reason}\r\nContent-Length: 4\r\n\r\n"ok"`);
}
for (const line of [
  'HTTP/1.0 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/0.9 200 OK',
  'HTTP/1.2 200 OK',
  'ICY 200 OK',
]) {
  bytes(line, `${line}\r\nContent-Length: 4\r\n\r\n"ok"`, 'end');
}
for (const line of [
  'HTTP/1.1\t200\tOK',
  'http/1.1 200 OK',
  'HTTP/1.1  200 OK',
  ' HTTP/1.1 200 OK',
  '',
  '\0',
]) {
  bytes(`status line ${JSON.stringify(line)}`, `${line}\r\nContent-Length: 4\r\n\r\n"ok"`);
}
bytes('blank lines first', `\r\n\r\n${OK}Content-Length: 2\r\n\r\n{}`);
bytes('HTTP/0.9', '<html>');
bytes('TLS', '\x15\x03\x03\0\x02\x02\x28', 'end');
bytes('line feeds alone', 'HTTP/1.1 200 OK\nContent-Length: 4\n\n"ok"');

for (const [name, text] of Object.entries({
  'a header without a colon': 'nothing here',
  'a header without a name': ': x',
  'a blank in a name': 'A b: x',
  'a blank before the colon': 'A : x',
  'a folded header': 'A: x\r\n y',
  'NUL in a value': 'A: x\0y',
  'CR in a value': 'A: x\ry',
  'LF in a value': 'A: x\ny: z',
  'obs-text in a value': 'A: \xff\x80',
  'obs-text in a name': '\xff: x',
  'a long value': `A: ${LONG}`,
  'a value too long': `A: ${LONGER}`,
  'a long name': `${LONG}: x`,
  __proto__: '__proto__: x\r\nconstructor: y\r\ntoString: z',
  '2,000 headers': 'A: b\r\n'.repeat(2_000).trimEnd(),
  '20,000 headers': 'A: b\r\n'.repeat(20_000).trimEnd(),
  'two lengths': 'Content-Length: 4',
  'two lengths that differ': 'Content-Length: 3',
  'a length in hex': 'Content-Length: 0x4',
  'a length with a sign': 'Content-Length: +4',
  'a list of lengths': 'Content-Length: 4, 4',
  'a length of blanks': 'Content-Length:    ',
  'a length and chunked': 'Transfer-Encoding: chunked',
  'another coding': 'Transfer-Encoding: gzip',
  'chunked twice': 'Transfer-Encoding: chunked, chunked',
  'odd hop-by-hop names': 'Connection: close, content-length, content-type, \xff, __proto__, ,',
  'odd Keep-Alive': 'Keep-Alive: timeout=99999999999999999999, max=-1',
  'Keep-Alive of NaN': 'Keep-Alive: timeout=NaN',
  'Keep-Alive below 0': 'Keep-Alive: timeout=-5',
  'Keep-Alive of 2^31': 'Keep-Alive: timeout=2147484',
  'odd Retry-After': 'Retry-After: 1e400',
  'gzip that is none': 'Content-Encoding: gzip',
  'odd cookies': 'Set-Cookie: a=b; Path=/x; Domain=\r\nSet-Cookie: =\r\nSet-Cookie: ;;;',
  'odd types': 'Content-Type: \r\nContent-Type: multipart/x; boundary=\xff',
  'odd dates': 'Date: never\r\nAge: -1\r\nExpires: 0\r\nETag: W/"\xff"',
  'Trailer of odd names': 'Trailer: content-length, \xff, __proto__',
  Upgrade: 'Connection: Upgrade\r\nUpgrade: h2c',
})) {
  lines(name, text);
}
for (const length of ['-1', '99999999999999999999', '9007199254740993', '1e3', 'x', '4294967296', '3', '5']) {
  bytes(`Content-Length: ${length}`, `${OK}Content-Length: ${length}\r\n\r\n"ok"`);
  bytes(`Content-Length: ${length}, ended`, `${OK}Content-Length: ${length}\r\n\r\n"ok"`, 'end');
}

for (const size of [
  'ffffffffffffffff',
  '7fffffff',
  '-1',
  '',
  '0x4',
  '4 ',
  ' 4',
  'g',
  '4;a=\x01',
  `4;${LONG}`,
  '00004',
]) {
  bytes(`a chunk of size ${JSON.stringify(size.slice(0, 20))}`, `${CHUNKED}${size}\r\n"ok"\r\n0\r\n\r\n`);
}
bytes('a chunk without its end', `${CHUNKED}4\r\n"ok"xx0\r\n\r\n`);
bytes('chunks with LF alone', `${CHUNKED}4\n"ok"\n0\n\n`);
bytes('half a chunk', `${CHUNKED}ff\r\n"ok"`, 'end');
bytes('half a chunk and a reset', `${CHUNKED}ff\r\n"ok"`, 'reset');
bytes('no last chunk', `${CHUNKED}4\r\n"ok"\r\n`, 'end');
bytes('chunks of one byte', `${CHUNKED}${'1\r\nx\r\n'.repeat(20_000)}0\r\n\r\n`);
for (const [name, text] of Object.entries({
  'of a length': 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
  'without a colon': 'nothing\r\n',
  'without a name': ': x\r\n',
  'of __proto__': '__proto__: x\r\n',
  'of odd bytes': 'A: \0\r\n\xff: y\r\n',
  'that are long': `A: ${LONG}\r\n`,
  'that are too long': `A: ${LONGER}\r\n`,
  'of Druid': 'X-Druid-Response-Complete: false\r\nX-Druid-Query-Id: ..\r\n',
})) {
  bytes(`trailers ${name}`, `${CHUNKED}4\r\n"ok"\r\n0\r\n${text}\r\n`);
}

/** These go on for a moment, so that clients leave and times pass while the id is known. */
for (const id of [
  ...[
    '..',
    '.',
    '/',
    '../../x',
    '%',
    '%ff',
    '%2e%2e',
    '?',
    '#',
    'a b',
    '"',
    '',
    '\xff\xfe',
    '\xed\xa0\x80',
    '\t',
  ],
  ...['__proto__', 'constructor', LONG, 'x'.repeat(257), 'a,b', '\\', ';', '\x7f'],
]) {
  const name = `id ${JSON.stringify(id.slice(0, 20))}`;
  const head = `X-Druid-Query-Id: ${id}\r\nX-Druid-SQL-Query-Id: ${id}\r\n`;
  add(name, (socket) => {
    say(socket, `${OK}${head}Transfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n`);
    later(socket, 300, () => say(socket, '1\r\n]\r\n0\r\n\r\n'));
  });
  add(`${name}, silent`, (socket) => say(socket, `${OK}${head}Transfer-Encoding: chunked\r\n\r\n`));
}

for (const status of [301, 302, 307, 308]) {
  for (const location of [
    ...[
      '',
      '/',
      '//',
      '///x',
      'http://',
      'http://[',
      'http://[::1',
      'javascript:alert(1)',
      '\xff',
      '%',
      '\\',
      '?',
    ],
    ...[
      'http://u:p@h/',
      'http://h:99999/',
      'http://h:0/x',
      'HTTP://H/',
      `http://h/${LONG}`,
      '\x01',
      '*',
      '#x',
    ],
  ]) {
    bytes(
      `${status} to ${JSON.stringify(location.slice(0, 20))}`,
      `HTTP/1.1 ${status} Go\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`,
    );
  }
}
bytes('307 to nowhere', 'HTTP/1.1 307 Go\r\nContent-Length: 0\r\n\r\n');
bytes(
  '307 to two places',
  'HTTP/1.1 307 Go\r\nLocation: /a\r\nLocation: http://b/\r\nContent-Length: 0\r\n\r\n',
);
add('307 to another node', (socket, { target }, others) => {
  const [other = ''] = others;
  say(socket, `HTTP/1.1 307 Go\r\nLocation: ${other}${target}\r\nContent-Length: 0\r\n\r\n`);
});
add('307 with half a head', (socket, { target }, others) => {
  say(socket, `HTTP/1.1 307 Go\r\nLocation: ${others[1] ?? ''}${target}`);
  socket.end();
});

for (const [name, body] of Object.entries({
  nothing: '',
  null: 'null',
  'a number': '1e400',
  'an array': '[]',
  'a text': '"\\ud800"',
  __proto__: '{"__proto__":{"error":"x"},"constructor":null,"error":{"__proto__":1}}',
  'deep nesting': '['.repeat(100_000),
  'deep objects': '{"a":'.repeat(50_000),
  'bytes that are no UTF-8': '{"\xff\xfe":"\xed\xa0\x80"}',
  "Druid's error": '{"error":"Unknown exception","errorClass":"x","host":"h:1","errorMessage":"y"}',
  "Druid's error of odd types": '{"error":[],"host":{},"errorCode":1,"category":null}',
  'half JSON': '{"a":',
  HTML: '<html>'.repeat(20_000),
})) {
  for (const status of [200, 202, 401, 404, 500, 503, 504]) {
    bytes(
      `${status} with ${name}`,
      `HTTP/1.1 ${status} x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
}

bytes('the end at once', '', 'end');
bytes('a reset at once', '', 'reset');
bytes('half a head', 'HTTP/1.1 200 O', 'end');
bytes('half a head and a reset', 'HTTP/1.1 200 OK\r\nContent-Le', 'reset');
bytes('half a head and silence', 'HTTP/1.1 200 OK\r\nContent-Le');
bytes('half a body', `${OK}Content-Length: 100\r\n\r\n{"a"`, 'end');
bytes('half a body and a reset', `${OK}Content-Length: 100\r\n\r\n{"a"`, 'reset');
bytes('half a body and silence', `${OK}Content-Length: 100\r\n\r\n{"a"`);
bytes('a body until the end', `${OK}\r\n{}`, 'end');
bytes('a body until a reset', `${OK}\r\n{}`, 'reset');
bytes('two answers', `${OK}Content-Length: 2\r\n\r\n{}${OK}Content-Length: 4\r\n\r\n"no"`);
bytes('surplus bytes', `${OK}Content-Length: 2\r\n\r\n{}surplus`);
bytes('surplus bytes behind chunks', `${CHUNKED}2\r\n{}\r\n0\r\n\r\nsurplus`);
bytes('1 MB without a line break', 'x'.repeat(1_000_000));
bytes('3 MB', `${OK}Content-Length: 3000000\r\n\r\n${'x'.repeat(3_000_000)}`);
bytes('3 MB in a chunk, and a reset', `${CHUNKED}2dc6c0\r\n${'x'.repeat(2_000_000)}`, 'reset');
add('silence', () => {});
add('silence, then the end', (socket) => later(socket, 400, () => socket.end()));
add('silence, then a reset', (socket) => later(socket, 400, () => socket.resetAndDestroy()));
for (const wait of [50, 300, 900, 1_500]) {
  add(`200 after ${wait} ms`, (socket) =>
    later(socket, wait, () => say(socket, `${OK}Content-Length: 2\r\n\r\n{}`)),
  );
}
add('a head byte by byte', (socket) => {
  const head = `${OK}Content-Length: 2\r\n\r\n{}`;
  let at = 0;
  repeat(socket, 40, () => {
    say(socket, head[at++] ?? '');
    return at < head.length;
  });
});
add('a body byte by byte', (socket) => {
  say(socket, CHUNKED);
  let count = 0;
  repeat(socket, 40, () => {
    say(socket, count < 40 ? '1\r\nx\r\n' : '0\r\n\r\n');
    return count++ < 40;
  });
});
add('two pieces that split the end of the head', (socket) => {
  say(socket, `${OK}Content-Length: 2\r\n\r`);
  later(socket, 20, () => say(socket, '\n{}'));
});

const SOUND: readonly OddAnswer[] = [
  { name: '200', play: (socket) => say(socket, `${OK}Content-Length: 2\r\n\r\n{}`) },
  { name: '200 in chunks', play: (socket) => say(socket, `${CHUNKED}4\r\n[1,2\r\n1\r\n]\r\n0\r\n\r\n`) },
];

export const ODD_ANSWERS: readonly OddAnswer[] = answers;
export const SOUND_ANSWERS = SOUND;

/** Names an answer in a request for it. */
export const ANSWER_HEADER = 'X-Hostile-Answer';

/** All of them, in the order of their numbers. */
export const ANSWERS: readonly OddAnswer[] = [...SOUND, ...answers];
