import type { OriginRefusal } from '../discovery/allowed-origins.ts';
import type { Credentials } from '../discovery/zookeeper/connection.ts';
import { Session } from '../discovery/zookeeper/session.ts';
import type { PreparedTls } from '../discovery/zookeeper/tls.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { formatServer, type ServerAddress } from '../net/connect-string.ts';
import { inspectCertificate } from './certificate.ts';
import { parseMembers } from './ensemble-config.ts';
import type { Member, ServerFacts } from './facts.ts';
import { askWord, parseState } from './four-letter-words.ts';
import { within } from './within.ts';

/** How ZooKeeper is reached, as configured. */
export interface ZooKeeperTarget {
  readonly servers: readonly ServerAddress[];
  readonly chroot: string | null;
  readonly sessionTimeoutMs: number;
  readonly credentials: Credentials | null;
  readonly tls: PreparedTls | null;
  readonly basePath: string;
  readonly coordinatorPath: string;
  readonly refusal: OriginRefusal;
  readonly errors: InternalErrors;
}

/** A server with the session that was opened to it alone. */
export interface AskedServer {
  readonly facts: ServerFacts;
  readonly session: Session;
}

/** Time in ms for a session with one server; the handshake of a server that is there takes milliseconds. */
const SESSION_MS = 3_000;
/** Time in ms after a first failed attempt, for a second one. */
const AFTER_FAILURE_MS = 1_000;
const WORD_MS = 2_000;
const CERTIFICATE_MS = 2_000;
/** Servers of a connect string that are asked; more than an ensemble has. */
export const MOST_SERVERS = 20;
/** Of every ensemble since ZooKeeper 3.5, and outside of any chroot (`ZooDefs.CONFIG_NODE`). */
const CONFIG_NODE = '/zookeeper/config';

/**
 * Asks each server of the connect string by itself. The sessions have no chroot and write nothing; the caller must
 * close them. Never rejects.
 */
export function askServers(target: ZooKeeperTarget): Promise<AskedServer[]> {
  return Promise.all(target.servers.slice(0, MOST_SERVERS).map((server) => askServer(server, target)));
}

async function askServer(server: ServerAddress, target: ZooKeeperTarget): Promise<AskedServer> {
  const { tls, sessionTimeoutMs, credentials, errors } = target;
  const session = new Session({
    servers: [server],
    chroot: null,
    sessionTimeoutMs,
    credentials,
    tls,
    maxReconnectDelayMs: 300,
    errors,
    now: Date.now,
    random: Math.random,
  });
  const [detail, srvr, mntr, certificate] = await Promise.all([
    connected(session),
    askWord(server, 'srvr', tls, WORD_MS),
    askWord(server, 'mntr', tls, WORD_MS),
    tls === null ? null : inspectCertificate({ ...server, servername: tls.servername, tls }, CERTIFICATE_MS),
  ]);
  const facts: ServerFacts = {
    name: formatServer(server),
    connected: detail === null,
    grantedTimeoutMs: session.grantedTimeoutMs,
    detail,
    ...parseState(srvr, mntr),
    certificate,
  };
  return { facts, session };
}

/** Starts the session. Resolves to null once it is connected, otherwise to why it is not. */
async function connected(session: Session): Promise<string | null> {
  const outcome = new Promise<string | null>((resolve) => {
    let failed = false;
    session.on('connected', () => resolve(null));
    session.on('status', ({ state, detail }) => {
      if (state === 'connected' || detail === null || failed) return;
      failed = true;
      setTimeout(() => resolve(session.status.detail ?? detail), AFTER_FAILURE_MS);
    });
  });
  session.start();
  return within(SESSION_MS, outcome, 'no answer in time');
}

/** Reads the members of the ensemble; null where ZooKeeper does not tell. Never rejects. */
export async function readMembers(session: Session): Promise<Member[] | null> {
  const data = await session.getData(CONFIG_NODE).catch(() => null);
  return data === null ? null : parseMembers(data.toString('latin1'));
}
