import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface SrvAnswer {
  readonly target: string;
  readonly port: number;
}

const TYPE = { a: 1, aaaa: 28, srv: 33 } as const;
const CODE = { ok: 0, failed: 2, unknown: 3 } as const;

/** A DNS server on loopback by UDP that knows SRV and A records (RFC 1035, RFC 2782), as far as c-ares asks. */
export class FakeDns {
  readonly srv = new Map<string, readonly SrvAnswer[]>();
  readonly a = new Map<string, string>();
  /** Every question is answered with SERVFAIL. */
  failing = false;
  asked = 0;
  readonly #socket: Socket = createSocket('udp4');

  get server(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  async up(): Promise<void> {
    this.#socket.on('message', (query, { port, address }) => {
      this.asked++;
      this.#socket.send(this.#answer(query), port, address);
    });
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += length + 1;
    }
    const name = labels.join('.');
    const type = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    const records = this.failing ? [] : this.#records(name, type);
    const isKnown = this.srv.has(name) || this.a.has(name);
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (this.failing ? CODE.failed : isKnown ? CODE.ok : CODE.unknown), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, question, ...records]);
  }

  #records(name: string, type: number): Buffer[] {
    if (type === TYPE.srv) {
      return (this.srv.get(name) ?? []).map(({ target, port }) => {
        const fixed = Buffer.alloc(6);
        fixed.writeUInt16BE(port, 4);
        return record(type, Buffer.concat([fixed, encoded(target)]));
      });
    }
    const address = this.a.get(name);
    if (type !== TYPE.a || address === undefined) return [];
    return [record(type, Buffer.from(address.split('.').map(Number)))];
  }
}

/** Starts a server that knows no name. The caller closes it. */
export async function startFakeDns(): Promise<FakeDns> {
  const server = new FakeDns();
  await server.up();
  return server;
}

/** A record of the name that was asked for, which is at byte 12. */
function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function encoded(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}
