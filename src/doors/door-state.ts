import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { HeaderBlock } from '../http/header-block.ts';

/** What all connections of a door go by. */
export interface DoorState {
  /** The door asks its clients to go elsewhere. */
  draining: boolean;
  readonly slowReaders: ReaderWatch;
  /** How long a client that sends nothing more counts as there where it cannot be asked, in milliseconds. */
  readonly halfCloseGraceMs: number;
}

/** Cuts clients that do not read. */
export interface ReaderWatch {
  /** More was written than the client has taken; it is looked at until it has. */
  watch(socket: Socket): void;
}

/**
 * What is left of a request's body after its answer is read for so long and so far: a client that is still
 * sending must be able to read the answer, which closing the connection at once would destroy (RFC 9112 9.6).
 */
export const LINGER_MS = 2_000;
export const LINGER_BYTES = 8 * 1024 * 1024;

/**
 * So much of the requests that follow is read while one is answered, and what is more is left unread for so long. Then
 * the answer under way is the last one, and the rest is read and dropped: to go on without reading would be not to
 * notice that the client leaves.
 */
export const AHEAD_BYTES = 256 * 1024;
export const AHEAD_MS = 5_000;

/** A reason phrase that goes to the client as it came. */
export const PLAIN_REASON = /^[\t\x20-\x7e]*$/;

/** The head of an interim answer (1xx) as text. */
export function interimHead(status: number, headers: HeaderBlock): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${headers}\r\n`;
}

/** An address as people write it: IPv4 without the IPv6 prefix. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
