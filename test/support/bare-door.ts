import { pino } from 'pino';
import type { ConsoleOptions } from '../../src/doors/console.ts';
import { createFrontDoor, type DoorLimits, type FrontDoor } from '../../src/doors/front.ts';
import type { ClientEvents, ClientSide } from '../../src/exchange/client-side.ts';
import { createParking } from '../../src/exchange/parking.ts';
import type { ExchangeRecord } from '../../src/exchange/record.ts';
import { DOOR, OVER_TLS } from './door.ts';
import { FakeCluster, listenerTls } from './gateway-harness.ts';
import { type RecordedErrors, recordErrors } from './recorded-errors.ts';

export interface BareDoorOptions {
  /** What stands in for the exchange; by default every request is the console's. */
  readonly handle?: (client: ClientSide) => boolean;
  readonly tls?: boolean;
  readonly limits?: Partial<DoorLimits>;
  readonly console?: Partial<ConsoleOptions>;
  readonly now?: () => number;
}

export interface BareDoor {
  readonly door: FrontDoor;
  readonly port: number;
  readonly errors: RecordedErrors;
  readonly cluster: FakeCluster;
  /** Of the console's pages. */
  readonly records: ExchangeRecord[];
  close(): Promise<void>;
}

/** A door, as the suite has it, with no exchange behind it but what the test says. */
export async function startBareDoor(options: BareDoorOptions = {}): Promise<BareDoor> {
  const cluster = new FakeCluster();
  const errors = recordErrors();
  const records: ExchangeRecord[] = [];
  const now = options.now ?? ((): number => performance.now());
  const parking = createParking({
    cluster,
    errors,
    maxRequests: 10,
    maxBytes: 1_000_000,
    maxQueued: 10,
    now,
  });
  const tls = (options.tls ?? OVER_TLS) ? { tls: await listenerTls() } : {};
  const door = createFrontDoor({
    handle: options.handle ?? (() => false),
    express: DOOR !== 'front',
    sharedReadBuffer: DOOR === 'shared',
    ...tls,
    logger: pino({ level: 'silent' }),
    limits: {
      maxHeaderBytes: 16_384,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 0,
      keepAliveTimeoutMs: 72_000,
      sendTimeoutMs: 60_000,
      maxConnections: 0,
      ...options.limits,
    },
    console: {
      cluster,
      parking,
      now,
      begins() {},
      sink: (record) => void records.push(record),
      errors,
      options: { maxWaitMs: 600, maxWaitByRole: {}, maxWaitStaleMs: 500, maxQueueMs: 500 },
      trusts: () => false,
      connectTimeoutMs: 1_000,
      responseTimeoutMs: 10_000,
      idleTimeoutMs: 10_000,
      keepAliveTimeoutMs: 4_000,
      ...options.console,
    },
    errors,
    now,
  });
  const { port } = await door.listen('127.0.0.1', 0);
  return {
    door,
    port,
    errors,
    cluster,
    records,
    async close() {
      parking.close();
      await door.close(50);
    },
  };
}

/** What an exchange hears of one request. */
export interface Heard extends ClientEvents {
  readonly closes: boolean[];
  readonly internal: unknown[];
}

/** Events that take down what comes, and answer an internal error as the exchange does. */
export function hear(client: ClientSide): Heard {
  const heard: Heard = {
    closes: [],
    internal: [],
    onClose: (finished) => void heard.closes.push(finished),
    onInternalError(error) {
      heard.internal.push(error);
      if (client.begun) client.reset();
      else reply(client, 500, 'failed');
    },
  };
  return heard;
}

/** A small answer. */
export function reply(client: ClientSide, status: number, body: string): void {
  client.writeHead(status, '', `Content-Length: ${Buffer.byteLength(body)}\r\n`, false);
  client.end(Buffer.from(body));
}
