import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const pack = promisify(gzip);

/** Characters of a digest: 64 bits, for what changes some times in a second at most. */
const DIGEST_LENGTH = 16;

/** A short digest of a text: the same text has the same digest in each process. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH);
}

/** JSON that is made once and sent to many, with the tag that stands for its content. */
export class TaggedBody {
  readonly tag: string;
  readonly plain: Buffer;
  #packed: Promise<Buffer> | null = null;

  constructor(tag: string, json: string) {
    this.tag = tag;
    this.plain = Buffer.from(json);
  }

  /** The body as gzip, which is made when first needed, and not on the thread of the event loop. */
  packed(): Promise<Buffer> {
    this.#packed ??= pack(this.plain);
    return this.#packed;
  }
}
