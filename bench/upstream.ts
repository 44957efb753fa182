import { createServer, type Socket } from 'node:net';
import { BIG_ANSWER_BYTES, RECEIVED } from './workloads.ts';

/**
 * All of Druid's roles as one tiny responder in memory: it finds where each request ends, looks at its target, and
 * writes an answer that was made beforehand. Its arguments are the ports that it listens on, in JSON, and the address,
 * if that is another one than 127.0.0.1.
 */
const ports = JSON.parse(process.argv[2] ?? '[]') as readonly number[];
const host = process.argv[3] ?? '127.0.0.1';

const JSON_TYPE = 'Content-Type: application/json\r\n';
const QUERY_HEADERS = `${JSON_TYPE}X-Druid-SQL-Query-Id: bench\r\nX-Druid-Query-Id: bench\r\nX-Druid-Response-Context: {}\r\n`;

function whole(body: string, headers = JSON_TYPE, status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

function filled(size: number): string {
  return `[{"filling":"${'x'.repeat(size - 17)}"}]\n`;
}

function chunked(body: string): string {
  const size = body.length.toString(16);
  const head = `HTTP/1.1 200 OK\r\n${QUERY_HEADERS}Trailer: X-Druid-Response-Complete\r\nTransfer-Encoding: chunked\r\n\r\n`;
  return `${head}${size}\r\n${body}\r\n0\r\nX-Druid-Response-Complete: true\r\n\r\n`;
}

const SQL = whole(filled(500), QUERY_HEADERS);
const SQL_CHUNKED = chunked(filled(500));
const KILOBYTE = whole(filled(1_024));
const BIG_BODY = Buffer.alloc(BIG_ANSWER_BYTES, 'x');
const BIG_HEAD = `HTTP/1.1 200 OK\r\n${QUERY_HEADERS}Content-Length: ${BIG_BODY.length}\r\n\r\n`;
const TRUE = whole('{"leader":true}');
const EMPTY = whole('{}');
const MISSING = whole('', JSON_TYPE, '404 Not Found');

/** In the order in which they are looked for; the first whose text begins the target is the answer. */
const ANSWERS: readonly (readonly [prefix: string, answer: string])[] = [
  ['/druid/v2/sql?chunked', SQL_CHUNKED],
  // Nobody looks into answers of Avatica.
  ['/druid/v2/sql/avatica', whole(filled(500))],
  ['/druid/v2/sql', SQL],
  ['/druid/coordinator/v1/datasources', KILOBYTE],
  ['/druid/indexer/v1/task', whole('{"task":"bench"}')],
  ['/druid/coordinator/v1/isLeader', TRUE],
  ['/druid/indexer/v1/isLeader', TRUE],
  ['/druid/broker/v1/readiness', whole('')],
  ['/status/health', whole('true')],
  ['/druid/coordinator/v1/rules', EMPTY],
];

/** Bytes of all bodies, of chunked ones with their framing. */
let received = 0;

function answer(socket: Socket, target: string, origin: string): void {
  if (target.startsWith('/druid/v2/sql?big')) {
    socket.write(BIG_HEAD, 'latin1');
    socket.write(BIG_BODY);
    return;
  }
  if (target === RECEIVED) {
    socket.write(whole(String(received)), 'latin1');
    return;
  }
  if (target.endsWith('/v1/leader')) {
    socket.write(whole(origin), 'latin1');
    return;
  }
  const found = ANSWERS.find(([prefix]) => target.startsWith(prefix));
  socket.write(found === undefined ? MISSING : found[1], 'latin1');
}

const LAST_CHUNK = '\r\n0\r\n\r\n';

/** Reads requests as long as no body holds what ends a chunked one, which those of the bench do not. */
function serve(socket: Socket, origin: string): void {
  let head = '';
  let target: string | null = null;
  /** Bytes of the body that are still to come; -1 in a chunked one. */
  let missing = 0;
  let tail = '';
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (data: Buffer) => {
    let rest = data;
    while (rest.length > 0) {
      if (target === null) {
        head += rest.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        rest = Buffer.from(head.slice(end + 4), 'latin1');
        target = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/'));
        const fields = head.slice(0, end);
        missing = /\r\ntransfer-encoding: *chunked/i.test(fields)
          ? -1
          : Number(/\r\ncontent-length: *(\d+)/i.exec(fields)?.[1] ?? 0);
        if (/\r\nexpect:/i.test(fields)) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        head = '';
        tail = '\r\n';
      }
      if (missing < 0) {
        received += rest.length;
        const text = tail + rest.toString('latin1');
        const end = text.indexOf(LAST_CHUNK);
        if (end < 0) {
          tail = text.slice(1 - LAST_CHUNK.length);
          return;
        }
        rest = Buffer.from(text.slice(end + LAST_CHUNK.length), 'latin1');
      } else {
        const here = Math.min(missing, rest.length);
        missing -= here;
        received += here;
        rest = rest.subarray(here);
        if (missing > 0) return;
      }
      const asked = target;
      target = null;
      answer(socket, asked, origin);
    }
  });
}

let listening = 0;
for (const port of ports) {
  const origin = `http://127.0.0.1:${port}`;
  createServer((socket) => serve(socket, origin)).listen(port, host, 1_024, () => {
    listening++;
    if (listening === ports.length) process.stdout.write('serves\n');
  });
}
