/** ZooKeeper's own packet limit is 1 MiB (`jute.maxbuffer`), but lists of children may exceed it. */
export const MAX_PACKET_BYTES = 4 * 1024 * 1024;

/**
 * Cuts a byte stream into ZooKeeper's packets, each with its four length bytes.
 *
 * The library would keep half a packet across connections and wait for any length it reads, even the 1.2 GB that
 * `HTTP` spells. Create one reader per socket.
 */
export class PacketReader {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(limit = MAX_PACKET_BYTES) {
    this.#limit = limit;
  }

  /**
   * Takes received bytes and returns the packets now complete. Throws if a length is negative or over the limit.
   */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const packets: Buffer[] = [];
    for (;;) {
      const size = this.#nextSize();
      if (size === null || this.#length < size) return packets;
      const bytes = this.#joined();
      packets.push(bytes.subarray(0, size));
      this.#chunks = [bytes.subarray(size)];
      this.#length -= size;
    }
  }

  #nextSize(): number | null {
    if (this.#length < 4) return null;
    const first = this.#chunks[0];
    const head = first !== undefined && first.length >= 4 ? first : this.#joined();
    const length = head.readInt32BE(0);
    if (length < 0 || length > this.#limit) {
      throw new Error(
        `a packet of ${length} bytes was announced: this is no ZooKeeper server, or its answer is too large`,
      );
    }
    return length + 4;
  }

  #joined(): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && this.#chunks.length === 1) return first;
    const bytes = Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [bytes];
    return bytes;
  }
}

/** Requests whose answers contain lengths (`ZooDefs.OpCode`). */
const GET_DATA = 4;
const GET_ACL = 6;
const GET_CHILDREN2 = 12;
/** Offset after the packet's length, protocol version, timeout and session id. */
const PASSWORD_AT = 20;
/** Offset after the packet's length, xid and zxid. */
const ERROR_AT = 16;
const PAYLOAD_AT = 20;

/**
 * Checks the answer to a handshake. Throws if its password exceeds the packet: the library would allocate that
 * much.
 */
export function checkHandshake(packet: Buffer): void {
  fitting(packet, PASSWORD_AT);
}

/**
 * Checks the answer to a request of this type. Throws if a length in it exceeds the packet: the library would
 * allocate gigabytes, or read the same bytes for ever.
 */
export function checkAnswer(packet: Buffer, type: number | undefined): void {
  if (packet.length <= PAYLOAD_AT || packet.readInt32BE(ERROR_AT) !== 0) return;
  if (type === GET_DATA) fitting(packet, PAYLOAD_AT);
  if (type !== GET_CHILDREN2 && type !== GET_ACL) return;
  const count = packet.readInt32BE(PAYLOAD_AT);
  let at = PAYLOAD_AT + 4;
  // An entry of an access list is permissions, scheme and id.
  for (let i = 0; i < count; i++) at = fitting(packet, type === GET_ACL ? fitting(packet, at + 4) : at);
}

/**
 * Returns the end of the bytes whose length is at `at`; a length of -1 means none. Throws if they exceed the
 * packet.
 */
function fitting(packet: Buffer, at: number): number {
  const length = packet.readInt32BE(at);
  const end = at + 4 + Math.max(0, length);
  if (length < -1 || end > packet.length)
    throw new Error(`${length} bytes are not in a packet of ${packet.length}`);
  return end;
}
