import { once } from 'node:events';
import net from 'node:net';

/** A request as a client of ZooKeeper sends it, less its length. */
export interface Request {
  readonly xid: number;
  readonly type: number;
  readonly body: Buffer;
}

export const OP = {
  EXISTS: 3,
  GET_DATA: 4,
  PING: 11,
  GET_CHILDREN2: 12,
  AUTH: 100,
  SET_WATCHES: 101,
} as const;

/** What the server does with a request on its socket; by default it says that there is no node. */
export type Script = (request: Request, reply: Reply, socket: net.Socket) => void;

export interface Reply {
  /** Header and nothing else, with this error code. */
  error(code: number): void;
  /** A list of children. */
  children(names: readonly string[]): void;
  /** What a node holds. */
  data(bytes: Buffer): void;
}

/** As much of a ZooKeeper server as it takes to misbehave like one. */
export interface ScriptedZooKeeper {
  readonly port: number;
  /** Handshakes so far. */
  readonly handshakes: number;
  /** Sockets so far. */
  readonly connections: number;
  readonly requests: Request[];
  script: Script;
  /** Says nothing to credentials. */
  holdsAuth: boolean;
  /** Takes what comes and answers nothing, as a stopped process does. */
  frozen: boolean;
  /** In place of the handshake's answer. */
  onHandshake: ((socket: net.Socket) => void) | null;
  /** Cuts all connections. */
  cut(): void;
  close(): Promise<void>;
}

const NO_NODE = -101;
/** What else there is to know about a node, which nobody looks at. */
const STAT = Buffer.alloc(68);
export const noNode: Script = (_, reply) => reply.error(NO_NODE);

export async function startScriptedZooKeeper(host = '127.0.0.1'): Promise<ScriptedZooKeeper> {
  const sockets = new Set<net.Socket>();
  let handshakes = 0;
  let connections = 0;
  const server = net.createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let buffered: Buffer = Buffer.alloc(0);
    let greeted = false;
    socket.on('data', (data: Buffer) => {
      if (scripted.frozen) return;
      buffered = Buffer.concat([buffered, data]);
      while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
        const packet = buffered.subarray(4, 4 + buffered.readInt32BE(0));
        buffered = Buffer.from(buffered.subarray(4 + packet.length));
        if (greeted) take(packet, socket);
        else {
          greeted = true;
          handshakes++;
          if (scripted.onHandshake === null) socket.write(granted(packet.readInt32BE(12)));
          else scripted.onHandshake(socket);
        }
      }
    });
  });

  function take(packet: Buffer, socket: net.Socket): void {
    const request = { xid: packet.readInt32BE(0), type: packet.readInt32BE(4), body: packet.subarray(8) };
    scripted.requests.push(request);
    const send = (code: number, payload: Buffer = Buffer.alloc(0)): void => {
      socket.write(framed(Buffer.concat([replyHeader(request.xid, code), payload])));
    };
    if (request.type === OP.AUTH && scripted.holdsAuth) return;
    if (request.type === OP.PING || request.type === OP.AUTH || request.type === OP.SET_WATCHES) {
      send(0);
      return;
    }
    scripted.script(
      request,
      {
        error: (code) => send(code),
        children: (names) => send(0, childList(names)),
        data: (bytes) => send(0, Buffer.concat([framed(bytes), STAT])),
      },
      socket,
    );
  }

  const scripted: ScriptedZooKeeper = {
    get port() {
      return (server.address() as net.AddressInfo).port;
    },
    get handshakes() {
      return handshakes;
    },
    get connections() {
      return connections;
    },
    requests: [],
    script: noNode,
    holdsAuth: false,
    frozen: false,
    onHandshake: null,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  server.listen(0, host);
  await once(server, 'listening');
  return scripted;
}

export function framed(packet: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(packet.length);
  return Buffer.concat([length, packet]);
}

/** The answer to a handshake: a session of so many milliseconds; 0 says that it has expired. */
export function granted(timeoutMs: number): Buffer {
  const answer = Buffer.alloc(36);
  answer.writeInt32BE(timeoutMs, 4);
  answer.writeInt32BE(timeoutMs > 0 ? 7 : 0, 12);
  answer.writeInt32BE(16, 16);
  return framed(answer);
}

export function replyHeader(xid: number, code: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32BE(xid, 0);
  header.writeInt32BE(1, 8);
  header.writeInt32BE(code, 12);
  return header;
}

/** An event of this type on a path. */
export function notification(type: number, path: string): Buffer {
  const event = Buffer.alloc(8);
  event.writeInt32BE(type, 0);
  event.writeInt32BE(3, 4);
  return framed(Buffer.concat([replyHeader(-1, 0), event, framed(Buffer.from(path))]));
}

function childList(names: readonly string[]): Buffer {
  const count = Buffer.alloc(4);
  count.writeInt32BE(names.length);
  const parts: Buffer[] = [count];
  for (const name of names) parts.push(framed(Buffer.from(name)));
  return Buffer.concat([...parts, STAT]);
}
