import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { HeaderBlock } from '../http/header-block.ts';

/** State shared by all connections of a door. */
export interface DoorState {
  /** The door asks its clients to reconnect elsewhere. */
  draining: boolean;
  readonly slowReaders: ReaderWatch;
  /** How long a half-closed client that cannot be probed counts as present, in milliseconds. */
  readonly halfCloseGraceMs: number;
}

/** Cuts clients that do not read. */
export interface ReaderWatch {
  /** Watches a socket that holds unsent data, until the client has taken all of it. */
  watch(socket: Socket): void;
}

/** Pieces of an answer up to this many bytes are written as one text, by the express door with head and framing. */
export const ONE_WRITE = 8 * 1024;

/** A reason phrase that can go to the client unchanged. */
export const PLAIN_REASON = /^[\t\x20-\x7e]*$/;

/** Returns the head of an interim answer (1xx) as text. */
export function interimHead(status: number, headers: HeaderBlock): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${headers}\r\n`;
}

/** Returns an address as people write it: IPv4 without the IPv6 prefix. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
