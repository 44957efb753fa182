import { CreateMode, createClient } from 'node-zookeeper-client';

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
  let client = createClient(connect, { sessionTimeout: sessionTimeoutMs, spinDelay: 50 });

  function begin(): void {
    const session = client;
    const current = (): boolean => client === session && !left;
    session.once('connected', () => {
      for (const latch of latches) create(`${latch}/_c_${crypto.randomUUID()}-latch-`, origin, true);
      const port = Number(new URL(origin).port);
      for (const { folder, type } of announced) {
        const druidNode = { service: `druid/${type}`, host: '127.0.0.1', plaintextPort: port, tlsPort: -1 };
        create(
          `${folder}/127.0.0.1:${port}`,
          JSON.stringify({ druidNode, nodeType: type, services: {} }),
          false,
        );
      }
    });
    session.on('connected', () => {
      connected = current();
    });
    session.on('disconnected', () => {
      connected = false;
      leaders.clear();
    });
    session.on('expired', () => {
      if (!current()) return;
      session.close();
      client = createClient(connect, { sessionTimeout: sessionTimeoutMs, spinDelay: 50 });
      begin();
    });
    session.connect();

    function create(path: string, data: string, sequential: boolean): void {
      const mode = sequential ? CreateMode.EPHEMERAL_SEQUENTIAL : CreateMode.EPHEMERAL;
      session.mkdirp(path.slice(0, path.lastIndexOf('/')), (failed: unknown) => {
        if (!current()) return;
        if (failed) setTimeout(() => create(path, data, sequential), 200);
        else
          session.create(path, Buffer.from(data), mode, (error: unknown) => {
            // What a killed predecessor left behind goes with its session.
            if (error && current()) setTimeout(() => create(path, data, sequential), 200);
            else if (--missing === 0) joined.resolve();
          });
      });
    }
  }

  function look(): void {
    if (left || !connected) return;
    const session = client;
    for (const latch of latches) {
      session.getChildren(latch, (error: unknown, children: string[] | undefined) => {
        if (error || session !== client) return;
        const [first] = (children ?? []).toSorted((a, b) => a.slice(-10).localeCompare(b.slice(-10)));
        if (first === undefined) {
          leaders.set(latch, null);
          return;
        }
        session.getData(`${latch}/${first}`, (failed: unknown, data: Buffer | undefined) => {
          if (!failed && connected && session === client) leaders.set(latch, data?.toString() || null);
        });
      });
    }
  }

  begin();
  setInterval(look, POLL_MS);
  return {
    get connected() {
      return connected;
    },
    joined: joined.promise,
    leaderOf: (latch) => leaders.get(latch) ?? null,
    leave() {
      left = true;
      client.close();
    },
  };
}
