/** What the clients of discovery are to know. */
export type Expectation =
  | { readonly of: 'leader'; readonly origin: string }
  | { readonly of: 'brokers'; readonly count: number }
  | { readonly of: 'marker'; readonly hostAndPort: string };

/** What a process of clients is told by its parent. */
export type Command =
  | {
      readonly do: 'open';
      readonly count: number;
      readonly connect: string;
      readonly basePath: string;
      /** Most milliseconds by which a read after an event is put off at random; without it as the product does. */
      readonly spreadMs?: number;
    }
  | { readonly do: 'expect'; readonly expectation: Expectation }
  | { readonly do: 'report' };

/** What it has to say. `waits` and `known` answer `expect`, `figures` answers `report`. */
export type Report =
  | { readonly kind: 'waits' }
  /** When each client knew, in epoch milliseconds. */
  | { readonly kind: 'known'; readonly times: readonly number[] }
  | ({ readonly kind: 'figures' } & Figures);

/** Since the start of the process. */
export interface Figures {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly snapshots: number;
  readonly faults: number;
  readonly disconnects: number;
}
