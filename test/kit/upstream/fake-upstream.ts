import { once } from 'node:events';
import net from 'node:net';

/** One request as it came over the wire. */
export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  /** Header lines as sent, without the request line. */
  readonly lines: readonly string[];
  header(name: string): string | undefined;
  readonly body: Buffer;
  /** The request's body as framed on the wire. */
  readonly chunked: boolean;
  /** Number of the connection, from 0. */
  readonly connection: number;
}

/** Answers one request on its socket, byte for byte as it likes. */
export type Script = (request: ReceivedRequest, socket: net.Socket) => void;

/** An HTTP/1.1 server on bare sockets that does what its script says. */
export interface FakeUpstream {
  readonly origin: string;
  readonly port: number;
  readonly hostAndPort: string;
  readonly requests: ReceivedRequest[];
  readonly sockets: Set<net.Socket>;
  script: Script;
  /** Called as soon as a head is in, before the body; what it returns gets the rest instead of the script. */
  onHead: ((head: string, socket: net.Socket) => ((data: Buffer) => void) | null) | null;
  close(): Promise<void>;
}

export async function startUpstream(script: Script, port = 0): Promise<FakeUpstream> {
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<net.Socket>();
  let connections = 0;
  const server = net.createServer((socket) => {
    const connection = connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let buffered = Buffer.alloc(0);
    let offered = false;
    socket.on('data', (data: Buffer) => {
      buffered = Buffer.concat([buffered, data]);
      for (;;) {
        const end = buffered.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = buffered.subarray(0, end).toString('latin1');
        if (!offered) {
          offered = true;
          const taker = upstream.onHead?.(head, socket) ?? null;
          if (taker !== null) {
            socket.removeAllListeners('data');
            taker(buffered.subarray(end + 4));
            socket.on('data', taker);
            return;
          }
        }
        const parsed = parse(head, buffered.subarray(end + 4), connection);
        if (parsed === null) return;
        buffered = Buffer.from(buffered.subarray(end + 4 + parsed.consumed));
        offered = false;
        requests.push(parsed.request);
        upstream.script(parsed.request, socket);
      }
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = (server.address() as net.AddressInfo).port;
  const upstream: FakeUpstream = {
    origin: `http://127.0.0.1:${bound}`,
    port: bound,
    hostAndPort: `127.0.0.1:${bound}`,
    requests,
    sockets,
    script,
    onHead: null,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return upstream;
}

/** Bytes of a plain answer with Content-Length. */
export function plain(status: string, headers: readonly string[], body: string | Buffer): Buffer {
  const content = Buffer.from(body);
  const lines = [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${content.length}`, '', ''];
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), content]);
}

export function json(value: unknown, status = '200 OK'): Buffer {
  return plain(status, ['Content-Type: application/json'], JSON.stringify(value));
}

function parse(head: string, rest: Buffer, connection: number) {
  const [requestLine = '', ...lines] = head.split('\r\n');
  const [method = '', target = ''] = requestLine.split(' ');
  const header = (name: string): string | undefined =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      ?.slice(name.length + 1)
      .trim();
  const chunked = header('transfer-encoding')?.toLowerCase() === 'chunked';
  let body = Buffer.alloc(0);
  let consumed = 0;
  if (chunked) {
    const decoded = unchunk(rest);
    if (decoded === null) return null;
    ({ body, consumed } = decoded);
  } else {
    consumed = Number(header('content-length') ?? 0);
    if (rest.length < consumed) return null;
    body = Buffer.from(rest.subarray(0, consumed));
  }
  return { request: { method, target, lines, header, body, chunked, connection }, consumed };
}

/** The content of a chunked body and its length on the wire; null while its end is not there. */
export function unchunk(
  raw: Buffer,
): { body: Buffer<ArrayBuffer>; consumed: number; trailers: string[] } | null {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = raw.indexOf('\r\n', at);
    if (line === -1) return null;
    const size = Number.parseInt(raw.subarray(at, line).toString('latin1'), 16);
    at = line + 2;
    if (size === 0) break;
    if (raw.length < at + size + 2) return null;
    parts.push(raw.subarray(at, at + size));
    at += size + 2;
  }
  const trailers: string[] = [];
  for (;;) {
    const line = raw.indexOf('\r\n', at);
    if (line === -1) return null;
    const text = raw.subarray(at, line).toString('latin1');
    at = line + 2;
    if (text === '') return { body: Buffer.concat(parts), consumed: at, trailers };
    trailers.push(text);
  }
}
