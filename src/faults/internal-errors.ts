import { EventEmitter } from 'node:events';
import { sourceStack } from './source-stack.ts';

/**
 * The part of the gateway that threw: a `request`, a `client`'s connection, the connection to an `upstream`, a
 * `probe`, an event of `discovery` (or a listener of the view made from it), an `admin` request, a `log` write, a span of `tracing`, or
 * a message or timer between the primary and a `worker`.
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
  'tracing',
] as const;
export type ErrorPlace = (typeof ERROR_PLACES)[number];

/**
 * Where internal errors are reported. The caller ends only what the error was part of: a fault in one request ends
 * that request.
 */
export interface InternalErrors {
  /** Counts the error and logs it with its stack. `id` is the request's, if there is one. Never throws. */
  report(place: ErrorPlace, error: unknown, id?: string): void;
  /** Errors since the start, by place. */
  readonly counts: Readonly<Record<ErrorPlace, number>>;
  readonly total: number;
}

/** The part of a logger that is needed here. */
export interface ErrorLog {
  error(fields: object, message: string): void;
}

/** Most stacks remembered as logged; beyond that all are forgotten and logged again. */
const MOST_STACKS = 100;
/** Longest message and stack in characters; longer text may quote a request. */
const LONGEST_MESSAGE = 1024;
const LONGEST_STACK = 8 * 1024;
/** How often a stack is looked up in the sources, in ms; others are logged as they are. */
const LOOKUP_MS = 10_000;

/**
 * Logs one line per error. The same stack is logged at most once a minute: otherwise anyone who found a request
 * that throws could fill a disk.
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
    tracing: 0,
  };
  const written = new Map<string, number>();
  let total = 0;
  let lookedUpAt = Number.NEGATIVE_INFINITY;

  /** Returns undefined if the stack was logged within the last minute, whatever the message was then. */
  function stackOnce(error: unknown): string | undefined {
    const message = messageOf(error);
    const frames = framesOf(error, message).slice(0, LONGEST_STACK);
    const place = frames === '' ? message : frames;
    const time = now();
    const before = written.get(place);
    if (before !== undefined && time - before < 60_000) return undefined;
    if (written.size >= MOST_STACKS) written.clear();
    written.set(place, time);
    if (time - lookedUpAt < LOOKUP_MS) return message.slice(0, LONGEST_MESSAGE) + frames;
    lookedUpAt = time;
    return message.slice(0, LONGEST_MESSAGE) + sourceStack(frames);
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
        // Nothing can be logged; the error is still counted.
      }
    },
  };
}

/** Runs `step` and passes an error to `onError` instead of throwing it. Throws only if `onError` does. */
export function contain(step: () => void, onError: (error: unknown) => void): void {
  try {
    step();
  } catch (error) {
    onError(error);
  }
}

/** An emitter whose listeners cannot disturb each other or the emitting code: their errors go to `onError`. */
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

/** Returns the frames of a stack, without the message. */
function framesOf(error: unknown, message: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  // If the message was changed later, the stack still has the old one.
  const from = stack.startsWith(message) ? message.length : stack.indexOf('\n    at ');
  return from === -1 ? '' : stack.slice(from);
}
