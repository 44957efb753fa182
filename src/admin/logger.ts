import { type DestinationStream, destination, type Level, type Logger, pino, stdTimeFunctions } from 'pino';

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

/** What one write may have so that no other process's comes in between (POSIX, on Linux). */
const PIPE_BUF = 4096;

export interface LoggerOptions {
  readonly level: Level | 'silent';
  /** Standard error by default, so that standard output carries only what a command was asked to say. */
  readonly stream?: DestinationStream;
  /** Other processes write to the same place. */
  readonly shared?: boolean;
}

/**
 * A logger of JSON lines with ISO time and the level's name. Lines are written asynchronously; what is still
 * buffered when the process exits (also by `process.exit`) is written before it does.
 */
export function createLogger({ level, stream, shared = false }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS, censor: '[redacted]' },
    },
    stream ?? destination({ dest: 2, sync: false, ...(shared ? { maxWrite: PIPE_BUF } : {}) }),
  );
}
