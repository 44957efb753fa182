import { isIP } from 'node:net';

/** As HAProxy names the states that `set server ... state` sets. */
export type ServerState = 'ready' | 'drain' | 'maint';

/** A server of a backend, as HAProxy has it. */
export interface HaproxyServer {
  readonly name: string;
  /** An IP address; `-` if HAProxy has none. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly state: ServerState;
}

/** `SRV_ADMF_*` of HAProxy: maintenance forced, inherited, or for want of an address. */
const MAINT = 0x01 | 0x02 | 0x20;
/** Drain, forced or inherited. */
const DRAIN = 0x08 | 0x10;

/** The columns of `show servers state` that are read. Later versions add columns at the end. */
const COLUMNS = ['be_name', 'srv_name', 'srv_addr', 'srv_admin_state', 'srv_uweight', 'srv_port'] as const;

/**
 * Parses the answer to `show servers state BACKEND` (HAProxy management guide, 9.3): a line with the format's version, a
 * line with the columns after `# `, a line for each server. Throws an Error of one sentence for anything else, such as
 * an unknown backend.
 */
export function parseServers(answer: string): HaproxyServer[] {
  const [version = '', head = '', ...lines] = answer.split('\n').map((line) => line.trim());
  if (version !== '1' || !head.startsWith('# ')) throw new Error(`HAProxy says: ${saidBy(answer)}`);
  const names = head.slice(2).split(' ');
  const columns = COLUMNS.map((name) => names.indexOf(name));
  if (columns.includes(-1)) throw new Error(`HAProxy says nothing of ${COLUMNS[columns.indexOf(-1)]}`);
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const [, name = '', address = '', admin, weight, port] = columns.map((column) => fields[column]);
      return {
        name,
        address: isIP(address) === 0 ? '-' : address,
        port: Number(port),
        weight: Number(weight),
        state: stateOf(Number(admin)),
      };
    });
}

function stateOf(admin: number): ServerState {
  if ((admin & MAINT) !== 0) return 'maint';
  return (admin & DRAIN) === 0 ? 'ready' : 'drain';
}

/** What HAProxy says, in one line that fits into a log. */
export function saidBy(answer: string): string {
  const line = answer.replace(/[^\x20-\x7e]+/g, ' ').trim();
  return line === '' ? 'nothing' : line.slice(0, 200);
}
