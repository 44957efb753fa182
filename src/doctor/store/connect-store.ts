import { readFileSync } from 'node:fs';
import { isIP, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { Row } from './rows.ts';
import { StoreUnreachable } from './store-problem.ts';
import type { StoreTarget } from './store-target.ts';

/** One server of a target. */
export type StoreAddress = StoreTarget['servers'][number];

/** Time in ms to connect, TLS and login included. */
export const CONNECT_MS = 3_000;
/** Time in ms for the answer to one question. */
export const QUERY_MS = 2_000;
/** Answers of a server together are no longer than a few tables of names. */
const MOST_BYTES = 8 * 1024 * 1024;
const LOOK_MS = 25;

/** A connection to one server, by whichever driver. */
export interface StoreConnection {
  /** The rows of one query. Rejects with the driver's error. */
  rows(sql: string): Promise<Row[]>;
  readonly localPort: number | undefined;
  end(): void;
}

/** Makes a socket, not yet connected, that ends when more comes than any server has to say. */
export function boundedSocket(): Socket {
  const socket = new Socket();
  const timer = setInterval(() => {
    if (socket.bytesRead > MOST_BYTES) socket.destroy();
  }, LOOK_MS);
  socket.on('error', () => {});
  socket.on('close', () => clearInterval(timer));
  return socket;
}

export interface StoreTls extends SecureContextOptions {
  readonly rejectUnauthorized: boolean;
  /** Whether the certificate must have the name of the host. */
  readonly checksName: boolean;
  readonly servername?: string;
}

/**
 * Returns options of TLS by the mode of the URL; null for none. Throws `StoreUnreachable` if a file of it cannot be
 * read.
 */
export function storeTls({ tls }: StoreTarget, { host }: StoreAddress): StoreTls | null {
  const { mode, caFile, certFile, keyFile } = tls;
  if (mode === 'disable') return null;
  return {
    rejectUnauthorized: mode === 'verify-ca' || mode === 'verify-full',
    checksName: mode === 'verify-full',
    ...(caFile === null ? {} : { ca: readPem(caFile) }),
    ...(certFile === null ? {} : { cert: readPem(certFile) }),
    ...(keyFile === null ? {} : { key: readPem(keyFile) }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new StoreUnreachable({ kind: 'tls', text: 'a file of TLS that the URL names cannot be read here' });
  }
}

/** Connects encrypted, and as `prefer` allows, without where the server has no TLS. */
export async function withTls<T>(
  target: StoreTarget,
  address: StoreAddress,
  hasNoTls: (error: unknown) => boolean,
  open: (tls: StoreTls | null) => Promise<T>,
): Promise<T> {
  const tls = storeTls(target, address);
  try {
    return await open(tls);
  } catch (error) {
    if (target.tls.mode !== 'prefer' || !hasNoTls(error)) throw error;
    return await open(null);
  }
}
