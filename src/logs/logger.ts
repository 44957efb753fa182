import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from '../config/log-levels.ts';
import { contain } from '../faults/internal-errors.ts';
import { boundedFields, escapeUnseen } from './field-text.ts';
import { createLineBatch, type LineBatch } from './line-batch.ts';
import { createLogWriter, type LogWriter } from './log-writer.ts';
import { styleFor } from './style.ts';
import { textLine } from './text-line.ts';

/** A log that nobody reads delays the end of the process by at most this long, in ms. */
const FLUSH_MS = 1_000;

/**
 * A second line of defence: the gateway never logs these fields. The paths have no wildcards, because each wildcard
 * doubles the cost of every line.
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

/** A batch of lines is written when it reaches this many bytes or this age in ms. */
const BATCH_BYTES = 64 * 1024;
const BATCH_MS = 100;
/** Largest write, in bytes, that no other process's write can split (POSIX; this is Linux's value). */
const PIPE_BUF = 4096;

const STANDARD_ERROR = 2;

interface Own {
  /** Null if lines go to a stream of the caller's. */
  readonly standardError: { readonly batch: LineBatch; readonly writer: LogWriter } | null;
  onError: (error: unknown) => void;
}

const owns = new WeakMap<Logger, Own>();

/** `auto` is text if standard error is a terminal, otherwise JSON. */
export type LogFormat = 'auto' | 'json' | 'text';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** JSON by default. */
  readonly format?: LogFormat;
  /** Standard error by default: standard output is for what a command was asked to print. */
  readonly stream?: DestinationStream;
  /** True if other processes write to the same place. */
  readonly shared?: boolean;
}

/**
 * Creates a logger of JSON lines with ISO time and the level's name, or of text for people. Lines are written asynchronously. Lines still
 * buffered when the process exits, also by `process.exit`, are written first; only a write already under way needs
 * `endLogger`. A destination that fails costs lines and nothing else, see `onLogError`.
 */
export function createLogger({ level, format = 'json', stream, shared = false }: LoggerOptions): Logger {
  let own: Own | null = null;
  const onError = (error: unknown): void => own?.onError(error);
  const standardError =
    stream === undefined ? openStandardError(shared ? PIPE_BUF : BATCH_BYTES, onError) : null;
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: boundedFields },
      hooks: { streamWrite: escapeUnseen },
      redact: { paths: SECRET_FIELDS, censor: '[redacted]' },
    },
    // Leave out `flushSync`: pino would call it for `fatal`, and it would wait for a reader that does not read.
    inFormat(
      format,
      standardError !== null
        ? { write: (line) => standardError.batch.write(line) }
        : { write: (line) => contain(() => stream?.write(line), onError) },
    ),
  );
  own = { standardError, onError() {} };
  owns.set(logger, own);
  return logger;
}

/** Also for the lines that `access-log.ts` writes.  */
function inFormat(format: LogFormat, stream: DestinationStream): DestinationStream {
  const isTerminal = isatty(STANDARD_ERROR);
  if (format === 'json' || (format === 'auto' && !isTerminal)) return stream;
  const style = styleFor({ isTTY: isTerminal }, process.env);
  return { write: (line) => stream.write(textLine(line, style)) };
}

/** `tell` is called when lines start to be lost; the lines it logs may be lost too. */
export function onLogError(logger: Logger, tell: (error: unknown) => void): void {
  const own = owns.get(logger);
  if (own !== undefined) own.onError = tell;
}

/** Resolves when everything is written to standard error, or cannot be. */
export async function endLogger(logger: Logger): Promise<void> {
  const standardError = owns.get(logger)?.standardError ?? null;
  if (standardError === null) return;
  standardError.batch.flush();
  await standardError.writer.end();
}

/**
 * Resolves when the log has been written. Without a reader, a write is stuck in a thread that `process.exit` would
 * wait for, and only SIGKILL ends the process. It is sent after a second.
 */
export async function lastLog(logger: Logger): Promise<void> {
  const stuck = setTimeout(() => process.kill(process.pid, 'SIGKILL'), FLUSH_MS);
  await endLogger(logger);
  clearTimeout(stuck);
}

function openStandardError(bytes: number, onError: (error: unknown) => void): Own['standardError'] {
  const writer = createLogWriter(STANDARD_ERROR, onError);
  const batch = createLineBatch(writer, { bytes, delayMs: BATCH_MS });
  process.on('exit', () => batch.flushSync());
  process.on('beforeExit', () => batch.flush());
  return { batch, writer };
}
