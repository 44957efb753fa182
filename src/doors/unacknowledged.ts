import { readFile } from 'node:fs/promises';
import { isIPv4, type Socket } from 'node:net';

/** Where Linux lists for each connection how many bytes the other end has not acknowledged. */
const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];

/** number, local, remote, state, tx_queue:rx_queue */
const ROW = /^ *\d+: [\dA-F]+:([\dA-F]{4}) ([\dA-F]+:[\dA-F]{4}) \d\w ([\dA-F]{8}):/gm;

/**
 * Resolves to the number of bytes of each connection that the system has taken and the other end has not
 * acknowledged. A system takes a megabyte at once, and no more until a third of that has gone. For a slow client that
 * takes minutes, during which nothing else shows that it reads. Empty if the system has no such tables; never
 * rejects.
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

/** Returns a connection's ends as the tables write them; addresses are words of four bytes, last byte first. */
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
