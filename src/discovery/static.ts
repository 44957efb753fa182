import { ContainedEmitter, type InternalErrors } from '../faults/internal-errors.ts';
import {
  type Announcement,
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  EMPTY_SNAPSHOT,
  type Role,
  type SourceStatus,
} from './discovery.ts';

export interface StaticNodes {
  /** `http(s)://host:port` of every node that may lead. */
  readonly coordinators: readonly string[];
  readonly overlords: readonly string[];
  readonly brokers: readonly { readonly url: string; readonly service: string }[];
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const MASTER_SERVICES = { coordinator: 'druid/coordinator', overlord: 'druid/overlord' } as const;

/** Discovery of the nodes that the configuration names. Only probes show who leads. */
export function createStaticDiscovery(nodes: StaticNodes, errors: InternalErrors): Discovery {
  return new StaticDiscovery(nodes, errors);
}

class StaticDiscovery extends ContainedEmitter<DiscoveryEvents> implements Discovery {
  readonly kind = 'static';
  readonly #nodes: StaticNodes;
  readonly #now: () => number;
  #status: SourceStatus;
  #snapshot: DiscoverySnapshot = EMPTY_SNAPSHOT;

  constructor(nodes: StaticNodes, errors: InternalErrors) {
    super((error) => errors.report('discovery', error));
    this.#nodes = nodes;
    this.#now = nodes.now ?? Date.now;
    this.#status = { state: 'connecting', since: this.#now(), detail: null };
  }

  get status(): SourceStatus {
    return this.#status;
  }

  /** The configuration is always current, so its time of reading is now. */
  get snapshot(): DiscoverySnapshot {
    return this.#snapshot.complete ? { ...this.#snapshot, readAt: this.#now() } : this.#snapshot;
  }

  start(): void {
    const { coordinators, overlords, brokers } = this.#nodes;
    this.#status = { state: 'connected', since: this.#now(), detail: null };
    this.#snapshot = {
      version: 1,
      complete: true,
      latches: null,
      announcements: {
        coordinator: coordinators.map((url) => announcement('coordinator', url, MASTER_SERVICES.coordinator)),
        overlord: overlords.map((url) => announcement('overlord', url, MASTER_SERVICES.overlord)),
        broker: brokers.map(({ url, service }) => announcement('broker', url, service)),
      },
      readAt: this.#now(),
    };
    this.emit('status', this.#status);
    this.emit('snapshot', this.#snapshot);
  }

  async close(): Promise<void> {
    this.#status = { state: 'closed', since: this.#now(), detail: null };
    this.emit('status', this.#status);
  }
}

/** Spells out the port, as nodes do when they announce themselves. */
function announcement(role: Role, url: string, service: string): Announcement {
  const { protocol, hostname, port } = new URL(url);
  const hostAndPort = `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
  return { role, hostAndPort, origin: `${protocol}//${hostAndPort}`, service, version: null };
}
