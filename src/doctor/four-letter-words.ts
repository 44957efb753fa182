import { connect as connectTcp } from 'node:net';
import nodeTls from 'node:tls';
import type { PreparedTls } from '../discovery/zookeeper/tls.ts';
import type { ServerAddress } from '../net/connect-string.ts';

/** Longest answer that is read, in bytes; `mntr` has some four kilobytes. */
const LONGEST_ANSWER = 64 * 1024;

/**
 * Returns a ZooKeeper server's answer to a four-letter word, empty where it gives none within `timeoutMs`. Never
 * rejects. By default a server allows `srvr` only (`4lw.commands.whitelist`).
 */
export function askWord(
  { host, port }: ServerAddress,
  word: 'srvr' | 'mntr',
  tls: PreparedTls | null,
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket =
      tls === null
        ? connectTcp({ host, port })
        : nodeTls.connect({
            host,
            port,
            secureContext: tls.secureContext,
            rejectUnauthorized: tls.rejectUnauthorized,
            ...(tls.servername === undefined ? {} : { servername: tls.servername }),
          });
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.once(tls === null ? 'connect' : 'secureConnect', () => socket.write(word));
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (answer.length > LONGEST_ANSWER) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer.slice(0, LONGEST_ANSWER));
    });
  });
}

/** What a server says of its part, by `srvr` or `mntr`. */
export interface ServerState {
  /** `leader`, `follower`, `observer` or `standalone`; null where it does not say. */
  readonly mode: string | null;
  /** False where it says that it does not serve: it has no quorum. Null where it says nothing of use. */
  readonly serves: boolean | null;
}

/** Reads answers to `srvr` (`Mode: follower`) and `mntr` (`zk_server_state<tab>follower`). */
export function parseState(srvr: string, mntr: string): ServerState {
  const mode =
    /^Mode: ([a-z-]{1,20})\s*$/m.exec(srvr)?.[1] ?? /^zk_server_state\t([a-z-]{1,20})\s*$/m.exec(mntr)?.[1];
  if (mode !== undefined) return { mode, serves: true };
  const idle = /not currently serving requests/.test(`${srvr}\n${mntr}`);
  return { mode: null, serves: idle ? false : null };
}
