import { ContainedEmitter, contain, type InternalErrors } from '../faults/internal-errors.ts';
import { type OriginRefusal, refusalOf } from './allowed-origins.ts';
import type {
  Announcement,
  Discovery,
  DiscoveryEvents,
  DiscoverySnapshot,
  Latch,
  Role,
  SourceKind,
  SourceStatus,
} from './discovery.ts';
import { readSnapshot, writeSnapshot } from './snapshot-file.ts';

export interface RememberOptions {
  /** One that has latches. */
  readonly source: Discovery;
  /** The snapshot file; its folder must exist. */
  readonly file: string;
  /** Name of the cluster; a snapshot of another cluster is not used. */
  readonly cluster: string;
  /** Greatest age of a usable snapshot, in ms. */
  readonly maxAgeMs: number;
  /** Why a node of the snapshot is not used; by default every node may be used. */
  readonly refusal?: OriginRefusal;
  /** Whether the file is read at the start. By default it is. */
  readonly reads?: boolean;
  /** Whether the file is this source's to write now. By default it is. */
  readonly writes?: () => boolean;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** Delay before a change is written, in ms, so changes that follow are written with it. */
const SETTLE_MS = 500;
/** Interval between writes without changes, in ms; it keeps the age of the snapshot true. */
const REFRESH_MS = 60_000;

/**
 * A discovery that can start from what the gateway knew in its last run. Until its source has been read completely,
 * it serves the snapshot on disk, with its true age. It never reports `connected` meanwhile, so leaders must
 * confirm themselves.
 */
export function rememberDiscovery(options: RememberOptions): Discovery {
  return new RememberingDiscovery(options);
}

class RememberingDiscovery extends ContainedEmitter<DiscoveryEvents> implements Discovery {
  readonly #options: RememberOptions;
  readonly #source: Discovery;
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
    this.#source.on('read', () => this.emit('read'));
    this.#source.on('status', () => this.emit('status', this.status));
    this.#source.on('fault', (fault) => this.emit('fault', fault));
  }

  get kind(): SourceKind {
    return this.#source.kind;
  }

  get sources(): readonly Discovery[] {
    return [this.#source];
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
    const { reads = true } = this.#options;
    if (reads) this.#recall();
    this.#source.start();
  }

  #recall(): void {
    const { file, cluster, maxAgeMs, refusal = () => null } = this.#options;
    const read = readSnapshot(file, { cluster, maxAgeMs, now: this.#now() });
    if (read.kind === 'snapshot') {
      this.#remembered = withoutRefused(read.snapshot, refusal);
      this.emit('snapshot', this.#remembered);
    } else if (read.kind === 'unusable') {
      this.emit('fault', `the snapshot in ${file} is not used: ${read.why}`);
    }
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
          // Write only what was just read: an old snapshot would get a new age.
          if (this.#source.status.state === 'connected') this.#write();
        },
        (error) => this.#options.errors.report('discovery', error),
      );
      this.#writeIn(REFRESH_MS);
    }, delayMs);
  }

  #write(): void {
    const { file, cluster, writes = () => true } = this.#options;
    if (!writes()) return;
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

/** The configuration may have been narrowed since the snapshot was written. */
function withoutRefused(snapshot: DiscoverySnapshot, refusal: OriginRefusal): DiscoverySnapshot {
  const { announcements, latches } = snapshot;
  const kept = (role: Role): readonly Announcement[] =>
    announcements[role].filter((node) => refusalOf(node, refusal) === null);
  const latch = (role: Role, { participants }: Latch): Latch => {
    const reached = new Set(
      kept(role).flatMap(({ origin, address }) => (address === undefined ? [] : origin)),
    );
    const isAllowed = (origin: string): boolean => reached.has(origin) || refusal(origin) === null;
    return {
      participants: participants.map(({ sequence, origin }) => ({
        sequence,
        origin: origin !== null && isAllowed(origin) ? origin : null,
      })),
    };
  };
  return {
    ...snapshot,
    announcements: { coordinator: kept('coordinator'), overlord: kept('overlord'), broker: kept('broker') },
    latches: latches && {
      coordinator: latch('coordinator', latches.coordinator),
      overlord: latch('overlord', latches.overlord),
    },
  };
}
