import { ContainedEmitter, contain, type InternalErrors } from '../faults/internal-errors.ts';
import {
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  readersOf,
  type SourceKind,
  type SourceStatus,
} from './discovery.ts';
import { betweenTerms } from './terms-anew.ts';

/** A source that has been read beside the one in use. Exactly one of its methods is to be called, once. */
export interface PreparedSource {
  /** Uses it from now on; the former one is closed. */
  believe(): void;
  /** Closes it. The one in use stays. */
  abandon(): Promise<void>;
}

/** A discovery whose source can be replaced. */
export interface ChangingDiscovery extends Discovery {
  /** Whether this is the source in use. */
  uses(source: Discovery): boolean;
  /**
   * Starts `next` beside the source in use, and resolves once it has been read whole. If it is made of several, the one
   * called `first` must have been; at the end of the time any will do, if the source in use is out of touch. Otherwise
   * `next` is closed, and it rejects with an Error of one sentence.
   */
  prepare(next: Discovery, first: SourceKind): Promise<PreparedSource>;
}

export interface ChangingDiscoveryOptions {
  readonly errors: InternalErrors;
  /** How long a source may take until it has been read, in ms. */
  readonly patienceMs?: number;
}

/** Far longer than any source takes that is there, and shorter than who asks for a reload waits. */
const PATIENCE_MS = 10_000;
/** Most oddities of a source that are kept until it is used. */
const MOST_FAULTS = 20;

export function createChangingDiscovery(
  source: Discovery,
  options: ChangingDiscoveryOptions,
): ChangingDiscovery {
  return new SourceInUse(source, options);
}

class SourceInUse extends ContainedEmitter<DiscoveryEvents> implements ChangingDiscovery {
  readonly #errors: InternalErrors;
  readonly #patienceMs: number;
  #source: Discovery;
  #unfollow: () => void;
  /** By how much our versions are ahead of those of the source, so that they grow. */
  #ahead = 0;
  /** The last snapshot of the source, and the same with our version. */
  #raw: DiscoverySnapshot;
  #shown: DiscoverySnapshot;
  /** What is told between two sources; null at any other time. */
  #between: DiscoverySnapshot | null = null;
  #closed = false;
  /** Called when it is closed, to end the wait for another source. */
  readonly #interrupts = new Set<() => void>();
  /** Former sources that are being closed. */
  readonly #closing = new Set<Promise<void>>();

  constructor(source: Discovery, { errors, patienceMs = PATIENCE_MS }: ChangingDiscoveryOptions) {
    super((error) => errors.report('discovery', error));
    this.#errors = errors;
    this.#patienceMs = patienceMs;
    this.#source = source;
    this.#raw = source.snapshot;
    this.#shown = this.#raw;
    this.#unfollow = this.#follow(source);
  }

  get kind(): SourceKind {
    return this.#source.kind;
  }

  get sources(): readonly Discovery[] {
    return [this.#source];
  }

  get status(): SourceStatus {
    return this.#source.status;
  }

  get snapshot(): DiscoverySnapshot {
    if (this.#between !== null) return this.#between;
    const { snapshot } = this.#source;
    if (this.#ahead === 0) return snapshot;
    if (snapshot !== this.#raw) {
      this.#raw = snapshot;
      this.#shown = { ...snapshot, version: snapshot.version + this.#ahead };
    }
    return this.#shown;
  }

  start(): void {
    this.#source.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const interrupt of [...this.#interrupts]) interrupt();
    await this.#source.close();
    await Promise.all(this.#closing);
  }

  uses(source: Discovery): boolean {
    return source === this.#source;
  }

  async prepare(next: Discovery, first: SourceKind): Promise<PreparedSource> {
    const faults: string[] = [];
    const keep = (fault: string): void => {
      faults.push(fault);
      if (faults.length > MOST_FAULTS) faults.shift();
    };
    next.on('fault', keep);
    try {
      if (!this.#closed) next.start();
      if (!(await this.#isRead(next, first))) throw new Error(this.#unread(next, first, faults));
    } catch (error) {
      await next.close();
      throw error;
    } finally {
      next.off('fault', keep);
    }
    return {
      believe: () => this.#believe(next, faults),
      abandon: () => next.close(),
    };
  }

  /** Resolves to whether it may be used, as soon as that is known. */
  #isRead(next: Discovery, first: SourceKind): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = (): void => {
      if (isInTouch(next) && next.kind === first) resolve(true);
    };
    const give = (): void => resolve(!this.#closed && isInTouch(next) && !isInTouch(this.#source));
    const timer = setTimeout(() => contain(give, (error) => this.#report(error)), this.#patienceMs);
    const interrupt = (): void => resolve(false);
    this.#interrupts.add(interrupt);
    next.on('snapshot', look);
    next.on('status', look);
    if (this.#closed) interrupt();
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#interrupts.delete(interrupt);
      next.off('snapshot', look);
      next.off('status', look);
    });
  }

  #unread(next: Discovery, first: SourceKind, faults: readonly string[]): string {
    if (this.#closed) return 'the gateway is shutting down';
    const { status } = readersOf(next)[0] ?? next;
    const why = status.detail ?? faults.at(-1) ?? `it is ${status.state}`;
    const seconds = this.#patienceMs / 1_000;
    return `${first} has not been read whole within ${seconds} s (${why}); nodes are still known from ${this.kind}`;
  }

  #believe(next: Discovery, faults: readonly string[]): void {
    if (this.#closed) {
      this.#end(next);
      return;
    }
    const former = this.#source;
    const before = this.snapshot;
    this.#unfollow();
    this.#source = next;
    this.#unfollow = this.#follow(next);
    const between = betweenTerms(before, next.snapshot);
    if (between !== null) {
      this.#between = { ...between, version: before.version + 1 };
      this.emit('snapshot', this.#between);
      this.#between = null;
    }
    const version = before.version + (between === null ? 1 : 2);
    this.#ahead = version - next.snapshot.version;
    this.#raw = before;
    this.emit('snapshot', this.snapshot);
    this.emit('status', this.status);
    for (const fault of faults) this.emit('fault', fault);
    this.#end(former);
  }

  #follow(source: Discovery): () => void {
    const onSnapshot = (): void => void this.emit('snapshot', this.snapshot);
    const onStatus = (status: SourceStatus): void => void this.emit('status', status);
    const onRead = (): void => void this.emit('read');
    const onFault = (fault: string): void => void this.emit('fault', fault);
    source.on('snapshot', onSnapshot);
    source.on('status', onStatus);
    source.on('read', onRead);
    source.on('fault', onFault);
    return () => {
      source.off('snapshot', onSnapshot);
      source.off('status', onStatus);
      source.off('read', onRead);
      source.off('fault', onFault);
    };
  }

  /** Closes a source that is not used. */
  #end(source: Discovery): void {
    const closing = source.close().catch((error: unknown) => this.#report(error));
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }

  #report(error: unknown): void {
    this.#errors.report('discovery', error);
  }
}

/** Whether it has been read whole, and is heard or was a moment ago. */
function isInTouch({ snapshot: { complete }, status: { state } }: Discovery): boolean {
  return complete && (state === 'connected' || state === 'suspended');
}
