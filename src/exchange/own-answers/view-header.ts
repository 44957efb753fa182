import type { ClusterView } from '../../cluster/view.ts';
import type { BodySource } from '../../http/body.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import type { HeaderBlock } from '../../http/header-block.ts';
import type { ClientEvents, ClientSide, RequestHead } from '../ports/client.ts';

/** A request with this header, whatever its value, gets it back with what its answer was decided on, if it may know. */
export const VIEW_HEADER = 'X-Druid-Gateway-View';

/** The view in one line; names no address. `now` is in epoch milliseconds. */
export function describeView(view: ClusterView, now: number): string {
  const { coordinator, overlord } = view.leaders;
  const ready = view.brokers.reduce((count, broker) => count + (broker.ready ? 1 : 0), 0);
  const age = view.readAt === 0 ? 'never' : (Math.max(0, now - view.readAt) / 1000).toFixed(3);
  return [
    `version=${view.version}`,
    `discovery=${view.discovery.state}`,
    `age=${age}`,
    `coordinator=${coordinator.state}/${coordinator.knownBy}`,
    `overlord=${overlord.state}/${overlord.knownBy}`,
    `brokers=${ready}`,
  ].join(', ');
}

/** A client whose answer also carries the header. */
export class ViewingClient implements ClientSide {
  readonly #client: ClientSide;
  readonly #describe: () => string;

  /** `describe` is asked when the answer begins. */
  constructor(client: ClientSide, describe: () => string) {
    this.#client = client;
    this.#describe = describe;
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
    const line = `${VIEW_HEADER}: ${this.#describe()}\r\n`;
    this.#client.writeHead(status, reason, headers + line, hasDate, chunked);
  }

  writeInterim(status: number, headers: HeaderBlock): void {
    this.#client.writeInterim(status, headers);
  }

  write(chunk: Buffer, lease: BufferLease): void {
    this.#client.write(chunk, lease);
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
