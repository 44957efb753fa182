import type { ClientEvents, ClientSide } from '../../../src/exchange/ports/client.ts';
import { type Harness, type HarnessOptions, startHarness } from './gateway-harness.ts';

/** A door, as the suite has it, with `handle` in place of the exchange; by default every request is the console's. */
export function startBareDoor(options: HarnessOptions = {}): Promise<Harness> {
  return startHarness({ handle: () => false, exchange: { maxWaitMs: 600, maxQueueMs: 500 }, ...options });
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
