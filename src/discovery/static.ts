import { ContainedEmitter, type InternalErrors } from '../faults/internal-errors.ts';
import { parseOrigin } from '../net/origin.ts';
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

/** Interval, in ms, at which those who keep the time of reading learn that the list is still current. */
const READ_MS = 10_000;

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
  #reading: NodeJS.Timeout | null = null;

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
        coordinator: distinct(
          coordinators.map((url) => announcement('coordinator', url, MASTER_SERVICES.coordinator)),
        ),
        overlord: distinct(overlords.map((url) => announcement('overlord', url, MASTER_SERVICES.overlord))),
        broker: distinct(brokers.map(({ url, service }) => announcement('broker', url, service))),
      },
      readAt: this.#now(),
    };
    this.emit('status', this.#status);
    this.emit('snapshot', this.#snapshot);
    this.#reading = setInterval(() => this.emit('read'), READ_MS).unref();
  }

  async close(): Promise<void> {
    if (this.#reading !== null) clearInterval(this.#reading);
    this.#status = { state: 'closed', since: this.#now(), detail: null };
    this.emit('status', this.#status);
  }
}

/** The configuration has checked that each is a node's URL. Spells out the port, as nodes do when they announce. */
function announcement(role: Role, url: string, service: string): Announcement {
  const origin = parseOrigin(url);
  if (origin === null) throw new Error(`${url} is no URL of a node`);
  return { role, hostAndPort: origin.slice(origin.indexOf('//') + 2), origin, service, version: null };
}

/** Each node once, however often and in how many spellings it is listed. */
function distinct(announcements: readonly Announcement[]): Announcement[] {
  return [...new Map(announcements.map((one) => [one.origin, one])).values()];
}
