import { CreateMode } from 'node-zookeeper-client';
import { openConnection, type ZooKeeperConnection } from '../../../../src/discovery/zookeeper/connection.ts';
import { parseConnectString } from '../../../../src/net/connect-string.ts';
import { createBackoff } from '../../../../src/time/backoff.ts';

export interface MembershipOptions {
  readonly connect: string;
  readonly sessionTimeoutMs: number;
  readonly origin: string;
  /** Folders of announcements, each with the name of the type. */
  readonly announced: readonly { readonly folder: string; readonly type: string }[];
  readonly latches: readonly string[];
}

/** As much of Curator as a Druid process needs: announcements, leader latches, and a step down when out of touch. */
export interface Membership {
  /** Out of touch with ZooKeeper a process leads nothing and knows nobody who does. */
  readonly connected: boolean;
  /** Resolves when everything has been created for the first time. */
  readonly joined: Promise<void>;
  /** The origin of who leads by this latch, when it was last read. */
  leaderOf(latch: string): string | null;
  /** Takes everything back, as a process does that ends in peace. */
  leave(): void;
}

const POLL_MS = 25;

export function join(options: MembershipOptions): Membership {
  const { connect, sessionTimeoutMs, origin, announced, latches } = options;
  const leaders = new Map<string, string | null>();
  const joined = Promise.withResolvers<void>();
  let missing = announced.length + latches.length;
  let connected = false;
  let left = false;
  const port = Number(new URL(origin).port);
  const { servers, chroot } = parseConnectString(connect);
  const backoff = createBackoff({ servers: servers.length, random: Math.random, baseMs: 50, capMs: 200 });
  let session = begin();

  function begin(): ZooKeeperConnection {
    let created = false;
    const opened = openConnection({
      servers,
      chroot,
      sessionTimeoutMs,
      credentials: null,
      tls: null,
      backoff,
      onConnected() {
        connected = !left;
        if (created || left) return;
        created = true;
        for (const latch of latches) create(`${latch}/_c_${crypto.randomUUID()}-latch-`, origin, true);
        for (const { folder, type } of announced) {
          const druidNode = { service: `druid/${type}`, host: '127.0.0.1', plaintextPort: port, tlsPort: -1 };
          create(
            `${folder}/127.0.0.1:${port}`,
            JSON.stringify({ druidNode, nodeType: type, services: {} }),
            false,
          );
        }
      },
      onDisconnected: lose,
      onExpired: renew,
      onAuthenticationFailed: renew,
      onBroken: renew,
    });
    const current = (): boolean => session === opened && !left;
    return opened;

    function create(path: string, data: string, sequential: boolean): void {
      const mode = sequential ? CreateMode.EPHEMERAL_SEQUENTIAL : CreateMode.EPHEMERAL;
      opened.client.mkdirp(path.slice(0, path.lastIndexOf('/')), (failed: unknown) => {
        if (!current()) return;
        if (failed) setTimeout(() => create(path, data, sequential), 200);
        else
          opened.client.create(path, Buffer.from(data), mode, (error: unknown) => {
            // What a killed predecessor left behind goes with its session.
            if (error && current()) setTimeout(() => create(path, data, sequential), 200);
            else if (--missing === 0) joined.resolve();
          });
      });
    }
  }

  function lose(): void {
    connected = false;
    leaders.clear();
  }

  function renew(): void {
    lose();
    session = begin();
  }

  function look(): void {
    if (left || !connected) return;
    const asked = session;
    for (const latch of latches) {
      asked.client.getChildren(latch, (error: unknown, children: string[] | undefined) => {
        if (error || asked !== session) return;
        const [first] = (children ?? []).toSorted((a, b) => a.slice(-10).localeCompare(b.slice(-10)));
        if (first === undefined) {
          leaders.set(latch, null);
          return;
        }
        asked.client.getData(`${latch}/${first}`, (failed: unknown, data: Buffer | undefined) => {
          if (!failed && connected && asked === session) leaders.set(latch, data?.toString() || null);
        });
      });
    }
  }

  setInterval(look, POLL_MS);
  return {
    get connected() {
      return connected;
    },
    joined: joined.promise,
    leaderOf: (latch) => leaders.get(latch) ?? null,
    leave() {
      left = true;
      void session.close(1_000);
    },
  };
}
