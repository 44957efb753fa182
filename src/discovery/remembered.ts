import { ContainedEmitter, contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { OriginRefusal } from './allowed-origins.ts';
import type {
  Announcement,
  DiscoveryEvents,
  DiscoverySnapshot,
  Latch,
  Role,
  SourceStatus,
} from './discovery.ts';
import { readSnapshot, writeSnapshot } from './snapshot-file.ts';
import type { ZooKeeperDiscovery } from './zookeeper/discovery.ts';

export interface RememberOptions {
  readonly source: ZooKeeperDiscovery;
  /** Where the snapshot is kept; its folder must exist. */
  readonly file: string;
  /** Which cluster this is: a snapshot of another one is not used. */
  readonly cluster: string;
  /** An older snapshot is not used, in milliseconds. */
  readonly maxAgeMs: number;
  /** Why a node of the snapshot is not used; any may be by default. */
  readonly refusal?: OriginRefusal;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** A change is written after so long, together with those that follow it meanwhile. */
const SETTLE_MS = 500;
/** Without changes it is written so often, so that its age is true. */
const REFRESH_MS = 60_000;

/**
 * A discovery that can begin with what it knew when the gateway last ran: as long as ZooKeeper has not been read
 * whole, the snapshot on disk stands in for it, with its true age and never as `connected`, so that leaders must
 * confirm themselves.
 */
export function rememberDiscovery(options: RememberOptions): ZooKeeperDiscovery {
  return new RememberingDiscovery(options);
}

class RememberingDiscovery extends ContainedEmitter<DiscoveryEvents> implements ZooKeeperDiscovery {
  readonly kind = 'zookeeper';
  readonly #options: RememberOptions;
  readonly #source: ZooKeeperDiscovery;
  readonly #now: () => number;
  #remembered: DiscoverySnapshot | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #fault = '';

  constructor(options: RememberOptions) {
    super((error) => options.errors.report('discovery', error));
    this.#options = options;
    this.#source = options.source;
    this.#now = options.now ?? Date.now;
    this.#source.on('snapshot', (snapshot) => this.#follow(snapshot));
    this.#source.on('status', () => this.emit('status', this.status));
    this.#source.on('fault', (fault) => this.emit('fault', fault));
  }

  get sessionStats(): ZooKeeperDiscovery['sessionStats'] {
    return this.#source.sessionStats;
  }

  get snapshot(): DiscoverySnapshot {
    return this.#remembered ?? this.#source.snapshot;
  }

  get status(): SourceStatus {
    const { status } = this.#source;
    if (this.#remembered === null || status.state !== 'connected') return status;
    return { ...status, state: 'connecting' };
  }

  start(): void {
    const { file, cluster, maxAgeMs, refusal = () => null } = this.#options;
    const read = readSnapshot(file, { cluster, maxAgeMs, now: this.#now() });
    if (read.kind === 'snapshot') {
      this.#remembered = withoutRefused(read.snapshot, refusal);
      this.emit('snapshot', this.#remembered);
    } else if (read.kind === 'unusable') {
      this.emit('fault', `the snapshot in ${file} is not used: ${read.why}`);
    }
    this.#source.start();
  }

  async close(): Promise<void> {
    await this.#source.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#source.snapshot.complete) this.#write();
    await this.#writing;
  }

  #follow(snapshot: DiscoverySnapshot): void {
    if (!snapshot.complete && this.#remembered !== null) return;
    const first = this.#remembered !== null;
    this.#remembered = null;
    this.emit('snapshot', snapshot);
    if (first) this.emit('status', this.status);
    if (snapshot.complete) this.#writeIn(SETTLE_MS);
  }

  #writeIn(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      contain(
        () => {
          // What has not been read anew would only seem to be.
          if (this.#source.status.state === 'connected') this.#write();
        },
        (error) => this.#options.errors.report('discovery', error),
      );
      this.#writeIn(REFRESH_MS);
    }, delayMs);
  }

  #write(): void {
    const { file, cluster } = this.#options;
    const { snapshot } = this.#source;
    this.#writing = this.#writing
      .then(() => writeSnapshot(file, cluster, snapshot))
      .then(
        () => {
          this.#fault = '';
        },
        (error: NodeJS.ErrnoException) => {
          const fault = `the snapshot cannot be written to ${file}: ${error.code ?? error.message}`;
          if (fault !== this.#fault) this.emit('fault', fault);
          this.#fault = fault;
        },
      );
  }
}

/** What may be named has perhaps been narrowed since it was written. */
function withoutRefused(snapshot: DiscoverySnapshot, refusal: OriginRefusal): DiscoverySnapshot {
  const { announcements, latches } = snapshot;
  const kept = (role: Role): readonly Announcement[] =>
    announcements[role].filter(({ origin }) => refusal(origin) === null);
  const latch = ({ participants }: Latch): Latch => ({
    participants: participants.map(({ sequence, origin }) => ({
      sequence,
      origin: origin !== null && refusal(origin) === null ? origin : null,
    })),
  });
  return {
    ...snapshot,
    announcements: { coordinator: kept('coordinator'), overlord: kept('overlord'), broker: kept('broker') },
    latches: latches && { coordinator: latch(latches.coordinator), overlord: latch(latches.overlord) },
  };
}
