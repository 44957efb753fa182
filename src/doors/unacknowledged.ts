import { readFile } from 'node:fs/promises';
import { isIPv4, type Socket } from 'node:net';

/** Where Linux tells of each connection how much it has taken that the other end has not acknowledged. */
const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];

/** number, local, remote, state, tx_queue:rx_queue */
const ROW = /^ *\d+: [\dA-F]+:([\dA-F]{4}) ([\dA-F]+:[\dA-F]{4}) \d\w ([\dA-F]{8}):/gm;

/**
 * How many bytes the system has taken of each of these connections that their other ends have not acknowledged. A
 * system takes a megabyte in one go, and no more until a third of that has gone: to a slow client that is minutes in
 * which nothing else shows that it reads. Empty where the system does not tell.
 */
export async function unacknowledged(sockets: readonly Socket[]): Promise<Map<Socket, number>> {
  const byEnds = new Map(sockets.map((socket) => [endsOf(socket), socket]));
  const found = new Map<Socket, number>();
  for (const table of TABLES) {
    const text = await readFile(table, 'latin1').catch(() => '');
    for (const [, localPort, remote, queued] of text.matchAll(ROW)) {
      const socket = byEnds.get(`${localPort} ${remote}`);
      if (socket !== undefined) found.set(socket, Number.parseInt(queued ?? '', 16));
    }
  }
  return found;
}

/** Its ends as the tables write them; addresses come in words of four bytes, the last byte first. */
function endsOf({ localPort = 0, remoteAddress = '', remotePort = 0, remoteFamily }: Socket): string {
  const bytes = isIPv4(remoteAddress) ? v4(remoteAddress) : v6(remoteAddress);
  let words = '';
  for (let at = 0; at < bytes.length; at += 4) {
    for (let i = 3; i >= 0; i--) words += hex(bytes[at + i] ?? 0, 2);
  }
  return remoteFamily === undefined ? '' : `${hex(localPort, 4)} ${words}:${hex(remotePort, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

function v4(address: string): number[] {
  return address.split('.').map(Number);
}

function v6(address: string): number[] {
  const [plain = ''] = address.split('%');
  const sides = plain.split('::').map((side) =>
    side
      .split(':')
      .filter((group) => group !== '')
      .flatMap((group) => {
        if (group.includes('.')) return v4(group);
        const value = Number.parseInt(group, 16);
        return [value >> 8, value & 255];
      }),
  );
  const [before = [], behind = []] = sides;
  return [...before, ...new Array<number>(16 - before.length - behind.length).fill(0), ...behind];
}
