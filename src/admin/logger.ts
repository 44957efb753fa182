import { once } from 'node:events';
import { type DestinationStream, destination, type Level, type Logger, pino, stdTimeFunctions } from 'pino';
import { createLineBatch, type LineBatch } from './line-batch.ts';

/**
 * A second line of defence: nothing that the gateway logs has these fields. Paths without wildcards, because
 * each wildcard doubles the cost of every line.
 */
const SECRET_FIELDS = [
  'password',
  'pwd',
  'secret',
  'token',
  'authorization',
  'cookie',
  'headers.authorization',
  'headers["proxy-authorization"]',
  'headers.cookie',
  'zookeeper.password',
];

/** Lines are written together, so many bytes of them, or after so many milliseconds. */
const BATCH_BYTES = 64 * 1024;
const BATCH_MS = 100;
/** What one write may have so that no other process's comes in between (POSIX, on Linux). */
const PIPE_BUF = 4096;

interface Own {
  readonly batch: LineBatch;
  readonly stream: ReturnType<typeof destination>;
}

const owns = new WeakMap<Logger, Own>();

export interface LoggerOptions {
  readonly level: Level | 'silent';
  /** Standard error by default, so that standard output carries only what a command was asked to say. */
  readonly stream?: DestinationStream;
  /** Other processes write to the same place. */
  readonly shared?: boolean;
}

/**
 * A logger of JSON lines with ISO time and the level's name. Lines are written asynchronously; what is still
 * buffered when the process exits (also by `process.exit`) is written before it does; only what is just being written
 * then needs `endLogger`.
 */
export function createLogger({ level, stream, shared = false }: LoggerOptions): Logger {
  const own = stream === undefined ? standardError(shared ? PIPE_BUF : BATCH_BYTES) : null;
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS, censor: '[redacted]' },
    },
    // Not all of it: pino would wait for each line of level `fatal` to be written, for ever where nobody reads.
    own === null ? stream : { write: (line) => own.batch.write(line) },
  );
  if (own !== null) owns.set(logger, own);
  return logger;
}

/** Resolves when everything has been written to standard error. The logger takes nothing after that. */
export async function endLogger(logger: Logger): Promise<void> {
  const own = owns.get(logger);
  if (own === undefined) return;
  const { batch, stream } = own;
  batch.flush();
  const closed = once(stream, 'close');
  stream.end();
  await closed;
}

function standardError(bytes: number): Own {
  const stream = destination({ dest: 2, sync: false, maxWrite: bytes });
  const batch = createLineBatch(stream, { bytes, delayMs: BATCH_MS });
  // Before pino writes what its stream has.
  process.prependListener('exit', () => batch.flush());
  process.prependListener('beforeExit', () => batch.flush());
  return { batch, stream };
}
