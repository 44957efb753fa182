import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Door } from '../kit/gateway/door.ts';
import { plain } from '../kit/upstream/fake-upstream.ts';
import { type Client, clientHello, concurrently, connect, type Departure, pause } from './client.ts';
import { type Rig, startRig } from './rig.ts';

const HELLO = await clientHello();
const HOST = 'Host: a\r\n';
const SQL = '{"query":"SELECT 1"}';
const POST = `POST /druid/v2/sql HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`;
const WHOLE_POST = `${POST}Content-Length: ${SQL.length}\r\n\r\n${SQL}`;
const GET = `GET /druid/v2/datasources HTTP/1.1\r\n${HOST}\r\n`;
const PROXY_V2 = '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x30\x39\x01\xbb';

/** What a connection may begin with, one character an octet. */
const FIRST_BYTES: Readonly<Record<string, string>> = {
  nothing: '',
  'one byte': 'G',
  garbage: '\x80\xff\x13garbage\x07\r\n\x9c\r\n\r\n',
  NULs: '\0'.repeat(4_096),
  'blank lines': '\r\n'.repeat(2_000),
  'half a request line': 'GET /druid/v2/data',
  'a request line alone': 'GET /druid/v2/datasources HTTP/1.1\r\n',
  'half a head': `${GET.slice(0, -2)}X-Half: way`,
  'a head of 256 KiB': `${GET.slice(0, -2)}${`X-Large: ${'x'.repeat(1_000)}\r\n`.repeat(256)}\r\n`,
  '10,000 headers': `${GET.slice(0, -2)}${'a:b\r\n'.repeat(10_000)}\r\n`,
  '1 MB without a line break': 'x'.repeat(1_000_000),
  'a target of 100,000 bytes': `GET /druid/v2/${'a'.repeat(100_000)} HTTP/1.1\r\n${HOST}\r\n`,
  CONNECT: `CONNECT b:80 HTTP/1.1\r\n${HOST}\r\n`,
  'CONNECT with a body': `CONNECT b:80 HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
  'CONNECT with more behind': `CONNECT b:80 HTTP/1.1\r\n${HOST}\r\n${GET}`,
  'CONNECT behind a whole request': `${GET}CONNECT b:80 HTTP/1.1\r\n${HOST}\r\n`,
  'Upgrade: websocket': `${GET.slice(0, -2)}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  'Upgrade: h2c with bytes behind': `${GET.slice(0, -2)}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\nPRI * HTTP/2.0\r\n\r\n`,
  'Upgrade of a POST': `${POST}Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: ${SQL.length}\r\n\r\n${SQL}`,
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
  'a ClientHello': HELLO.toString('latin1'),
  'half a ClientHello': HELLO.toString('latin1', 0, 11),
  'a ClientHello with a wrong length': `${HELLO.toString('latin1', 0, 3)}\xff\xff${HELLO.toString('latin1', 5)}`,
  'Expect: 100-continue': `${POST}Expect: 100-continue\r\nContent-Length: ${SQL.length}\r\n\r\n`,
  'Expect: 100-continue with the body': `${POST}Expect: 100-continue\r\nContent-Length: ${SQL.length}\r\n\r\n${SQL}`,
  'Expect of something else': `${POST}Expect: a-miracle\r\nContent-Length: ${SQL.length}\r\n\r\n${SQL}`,
  'a pipeline of three': GET + WHOLE_POST + GET,
  'a pipeline of three with CONNECT behind': `${GET}${WHOLE_POST}${GET}CONNECT b:80 HTTP/1.1\r\n${HOST}\r\n`,
  'a pipeline with garbage behind': `${GET + WHOLE_POST}\x01\x02 what\r\n\r\n`,
  'a pipeline with half a request behind': `${WHOLE_POST}GET /dru`,
  'a pipeline of 200': GET.repeat(200),
  'chunked with a bad size': `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n${SQL}\r\n0\r\n\r\n`,
  'chunked with a huge size': `${POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n${SQL}`,
  'chunked with a long chunk': `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n0\r\n\r\n`,
  'chunked, half': `${POST}Transfer-Encoding: chunked\r\n\r\n14\r\n{"query":`,
  'chunked, no last chunk': `${POST}Transfer-Encoding: chunked\r\n\r\n${SQL.length.toString(16)}\r\n${SQL}\r\n`,
  'half a body': `${POST}Content-Length: 1000\r\n\r\n${SQL}`,
  'a part of a large body': `${POST}Content-Length: 50000000\r\n\r\n${'x'.repeat(300_000)}`,
  'a negative length': `${POST}Content-Length: -1\r\n\r\n`,
  'a huge length': `${POST}Content-Length: 99999999999999999999\r\n\r\nx`,
  'two lengths': `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
  'a length and chunked': `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'the console by its root': `GET / HTTP/1.1\r\n${HOST}\r\n`,
  'the console': `GET /unified-console.html HTTP/1.1\r\n${HOST}\r\n`,
  'the console with a body': `GET /unified-console.html HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\nhalf`,
  'HEAD of an asset of the console': `HEAD /public/x.js HTTP/1.1\r\n${HOST}\r\n`,
  'DELETE of a query': `DELETE /druid/v2/x HTTP/1.1\r\n${HOST}\r\n`,
  'DELETE of an SQL query': `DELETE /druid/v2/sql/%ff HTTP/1.1\r\n${HOST}\r\n`,
  'OPTIONS of all': `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
  'absolute form': `GET http://a/druid/v2/datasources HTTP/1.1\r\n${HOST}\r\n`,
  TRACE: `TRACE /druid/v2 HTTP/1.1\r\n${HOST}\r\n`,
  'an unknown method': `FROBNICATE /druid/v2 HTTP/1.1\r\n${HOST}\r\n`,
  'SQL, whole': WHOLE_POST,
  'a task, whole': `POST /druid/indexer/v1/task HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  'a read of a master': `GET /druid/coordinator/v1/datasources HTTP/1.1\r\n${HOST}\r\n`,
  'a status that nodes complete': `GET /status/properties HTTP/1.1\r\n${HOST}\r\n`,
  'line feeds alone': GET.replaceAll('\r\n', '\n'),
  'HTTP/0.9': 'GET /\r\n',
  'HTTP/1.0 that stays': 'GET /druid/v2/datasources HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'HTTP/1.0 with chunks': `POST /druid/v2/sql HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel`,
  'HTTP/3.0': `GET /druid/v2 HTTP/3.0\r\n${HOST}\r\n`,
  RTSP: `OPTIONS /druid/v2 RTSP/1.0\r\n${HOST}CSeq: 1\r\n\r\n`,
  'the PROXY protocol, version 1': `PROXY TCP4 127.0.0.1 127.0.0.1 12345 443\r\n${GET}`,
  'the PROXY protocol, version 2': PROXY_V2 + GET,
  SSH: 'SSH-2.0-OpenSSH_9.6\r\n',
  metrics: `GET /metrics HTTP/1.1\r\n${HOST}\r\n`,
  'the status of the gateway': `GET /status HTTP/1.1\r\n${HOST}\r\n`,
  'an action on a Broker': `POST /brokers/127.0.0.1:1/return HTTP/1.1\r\n${HOST}Content-Length: 4000\r\n\r\nhalf`,
};
const DEPARTURES: readonly Departure[] = ['reset', 'half-close'];
const AFTER_MS = [0, 5, 30, 500] as const;
/** Many, so that faults of connections that end together are met. */
const WIDTH = 64;
/** So long a node thinks: clients leave before its answer and after. */
const THINKING_MS = 20;
/** Whatever a client leaves half done has a limit well below this. */
const CLOSED_WITHIN_MS = 20_000;

interface Visit {
  readonly kind: string;
  readonly departure: Departure;
  readonly after: number;
}

const VISITS: readonly Visit[] = Object.keys(FIRST_BYTES).flatMap((kind) =>
  DEPARTURES.flatMap((departure) => AFTER_MS.map((after) => ({ kind, departure, after }))),
);

/** Resolves with what went wrong, if anything did. */
async function visit(
  { kind, departure, after }: Visit,
  port: number,
  overTls: boolean,
): Promise<string | null> {
  const client: Client | null = await connect(port, overTls);
  if (client === null) return `${kind}: no connection`;
  client.send(Buffer.from(FIRST_BYTES[kind] ?? '', 'latin1'));
  if (after > 0) await pause(after);
  client.leave(departure);
  const closed = await client.closedWithin(CLOSED_WITHIN_MS);
  client.destroy();
  return closed
    ? null
    : `${kind}: still open ${CLOSED_WITHIN_MS} ms after its ${departure} after ${after} ms`;
}

/** All kinds of visits to a listener; what went wrong, each once. */
async function visitAll(port: number, overTls: boolean): Promise<string[]> {
  const faults = new Set<string>();
  await concurrently(VISITS, WIDTH, async (each) => {
    const fault = await visit(each, port, overTls);
    if (fault !== null) faults.add(fault);
  });
  // Where nobody listens any more, all of them say so.
  return [...faults].slice(0, 5);
}

/** The tests of one door with one number of processes. */
export function testFirstBytes(door: Door, workers: number, tls: boolean): void {
  const listeners = tls ? (['TLS', 'raw TLS', 'admin'] as const) : (['plain', 'admin'] as const);
  describe(`${door} door, ${workers === 1 ? 'one process' : `${workers} workers`}`, () => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await startRig({
        door,
        workers,
        tls,
        script({ method, header, target }, socket) {
          const page = target === '/' || target.endsWith('.html');
          // What asks for pages keeps its connections for longer than is waited for here.
          const headers = page
            ? ['Content-Type: text/html', 'Connection: close']
            : ['Content-Type: text/plain'];
          const answer = (): void => {
            if (socket.writable) socket.write(plain('200 OK', headers, '[1,2,3]'));
          };
          if (method === 'DELETE' && header('content-length') !== undefined) answer();
          else setTimeout(answer, THINKING_MS);
        },
      });
    });
    afterAll(async () => {
      await rig.close();
    });

    test.for(listeners)(
      `${VISITS.length} clients that leave the %s listener after their first bytes harm nobody`,
      async (listener) => {
        const port = listener === 'admin' ? rig.adminPort : rig.port;
        const faults = await visitAll(port, listener === 'TLS');
        expect.soft([...faults, ...(await rig.faults())]).toEqual([]);
        expect.soft(await rig.leftovers()).toEqual([]);
      },
    );
  });
}
