import { EventEmitter } from 'node:events';

/**
 * What of the gateway threw: a `request`, a `client`'s connection, the connection to an `upstream`, a `probe`, an
 * event of `discovery` (or a listener of the view made from it), an `admin` request, a `log` write, or a message or a
 * timer between the primary and a `worker`.
 */
export const ERROR_PLACES = [
  'request',
  'client',
  'upstream',
  'probe',
  'discovery',
  'admin',
  'log',
  'worker',
] as const;
export type ErrorPlace = (typeof ERROR_PLACES)[number];

/**
 * Where errors of the gateway itself are told. Whoever calls ends what the error was part of, and nothing else: a
 * fault in one request ends that request.
 */
export interface InternalErrors {
  /** Counts the error and logs it with its stack. `id` is that of the request, if it was one. Never throws. */
  report(place: ErrorPlace, error: unknown, id?: string): void;
  /** How many since the start. */
  readonly counts: Readonly<Record<ErrorPlace, number>>;
  readonly total: number;
}

/** As much of a logger as this needs. */
export interface ErrorLog {
  error(fields: object, message: string): void;
}

/** Stacks that are remembered as logged; beyond that they are logged once more. */
const MOST_STACKS = 100;
/** What is longer, since it quotes a request perhaps, is cut: characters of a message, and of a stack. */
const LONGEST_MESSAGE = 1024;
const LONGEST_STACK = 8 * 1024;

/**
 * Every error is one line. The same stack is written out once a minute at the most: whoever found a request that
 * throws could fill a disk with it.
 */
export function createInternalErrors(
  log: ErrorLog,
  now: () => number = () => performance.now(),
): InternalErrors {
  const counts: Record<ErrorPlace, number> = {
    request: 0,
    client: 0,
    upstream: 0,
    probe: 0,
    discovery: 0,
    admin: 0,
    log: 0,
    worker: 0,
  };
  const written = new Map<string, number>();
  let total = 0;

  /** Undefined where it has been written out in this minute, whatever the error said then. */
  function stackOnce(error: unknown): string | undefined {
    const message = messageOf(error);
    const frames = framesOf(error, message).slice(0, LONGEST_STACK);
    const place = frames === '' ? message : frames;
    const time = now();
    const before = written.get(place);
    if (before !== undefined && time - before < 60_000) return undefined;
    if (written.size >= MOST_STACKS) written.clear();
    written.set(place, time);
    return message.slice(0, LONGEST_MESSAGE) + frames;
  }

  return {
    counts,
    get total() {
      return total;
    },
    report(place, error, id) {
      counts[place]++;
      total++;
      try {
        const stack = stackOnce(error);
        log.error(
          {
            place,
            ...(id === undefined ? {} : { id }),
            error: messageOf(error).slice(0, LONGEST_MESSAGE),
            ...(stack === undefined ? {} : { stack }),
          },
          'internal error',
        );
      } catch {
        // Nobody is left to be told but the count.
      }
    },
  };
}

/** Runs `step`; what it throws goes to `onError`, and the caller goes on. */
export function contain(step: () => void, onError: (error: unknown) => void): void {
  try {
    step();
  } catch (error) {
    onError(error);
  }
}

/** An emitter whose listeners do not harm each other, nor whoever emits: what one throws goes to `onError`. */
export class ContainedEmitter<T extends { [K in keyof T]: unknown[] }> extends EventEmitter<T> {
  constructor(onError: (error: unknown) => void) {
    super();
    this.emit = (event, ...values) => {
      const listeners = this.rawListeners(event);
      for (const listener of listeners) {
        contain(() => void Reflect.apply(listener, this, values), onError);
      }
      return listeners.length > 0;
    };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** The lines of a stack that say where, without those that say what. */
function framesOf(error: unknown, message: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  // Where the message was changed later, the stack has the old one.
  const from = stack.startsWith(message) ? message.length : stack.indexOf('\n    at ');
  return from === -1 ? '' : stack.slice(from);
}
