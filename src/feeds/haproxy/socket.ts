import { connect } from 'node:net';

/** Longest answer, in bytes: the states of some ten thousand servers. */
const LONGEST_ANSWER = 8 * 1024 * 1024;

/**
 * Writes a line of commands to the runtime socket of HAProxy, and resolves to what it answers until it closes the
 * connection, which it does after one line. Rejects with an Error of one sentence after `timeoutMs`, or if the socket
 * cannot be used.
 */
export function askHaproxy(path: string, line: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const socket = connect({ path });
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    function fail(why: string): void {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(why));
    }
    socket.on('error', (error: NodeJS.ErrnoException) => fail(whyOf(error)));
    socket.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > LONGEST_ANSWER) fail('the answer is too long');
      else pieces.push(piece);
    });
    socket.on('end', () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Buffer.concat(pieces).toString('latin1'));
    });
    socket.write(`${line}\n`);
  });
}

function whyOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such socket';
    case 'EACCES':
      return 'no permission for the socket';
    case 'ECONNREFUSED':
      return 'nobody listens on the socket';
    default:
      return code ?? message;
  }
}
