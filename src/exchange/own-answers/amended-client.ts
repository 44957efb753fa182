import type { BodySource } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import type { ClientEvents, ClientSide, RequestHead } from '../ports/client.ts';

/** A client whose answer's headers are changed on the way. */
export class AmendedClient implements ClientSide {
  readonly #client: ClientSide;
  readonly #amend: (headers: HeaderBlock) => HeaderBlock;

  /** `amend` is called when the answer begins. */
  constructor(client: ClientSide, amend: (headers: HeaderBlock) => HeaderBlock) {
    this.#client = client;
    this.#amend = amend;
  }

  get head(): RequestHead {
    return this.#client.head;
  }

  get body(): BodySource {
    return this.#client.body;
  }

  get begun(): boolean {
    return this.#client.begun;
  }

  get over(): boolean {
    return this.#client.over;
  }

  invite(): void {
    this.#client.invite();
  }

  listen(events: ClientEvents): void {
    this.#client.listen(events);
  }

  writeHead(status: number, reason: string, headers: HeaderBlock, hasDate: boolean, chunked?: boolean): void {
    this.#client.writeHead(status, reason, this.#amend(headers), hasDate, chunked);
  }

  writeInterim(status: number, headers: HeaderBlock): void {
    this.#client.writeInterim(status, headers);
  }

  write(chunk: Buffer, lease: BufferLease, text?: string | null): void {
    this.#client.write(chunk, lease, text);
  }

  flush(): void {
    this.#client.flush();
  }

  end(chunk?: Buffer, trailers?: HeaderBlock): void {
    this.#client.end(chunk, trailers);
  }

  reset(): void {
    this.#client.reset();
  }
}
