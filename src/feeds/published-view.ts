import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterView } from '../cluster/view.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import { type SharedView, shareView } from './shared-view.ts';
import { digestOf } from './tagged-body.ts';

export interface PublishedViewOptions {
  readonly cluster: Pick<Cluster, 'view' | 'on' | 'off'>;
  readonly discovery: Pick<Discovery, 'kind' | 'snapshot' | 'status'>;
  readonly draining: () => boolean;
  /** Where errors of those who follow are reported. */
  readonly errors: InternalErrors;
  /** Most that wait at the same time. */
  readonly maxWaiting?: number;
}

/** One who waits for a view. */
export interface Wait {
  /** Resolves when there is news, the time is over, the wait is left, or the gateway ends. Never rejects. */
  readonly over: Promise<void>;
  /** Ends the wait at once. */
  leave(): void;
}

/** Each wait is a connection: enough for a fleet of engines, and few enough for the usual limit of descriptors. */
const MAX_WAITING = 500;
/** Shortest time between two changes that are told or looked for, in ms, unless a leader changes. */
const COALESCE_MS = 100;
/** How often the weights of Brokers in slow start are looked at, in ms: no view tells of them. */
const WARMING_MS = 500;

/**
 * The cluster's view as others are shown it, with a version. It is made when somebody asks, and follows the cluster
 * only while somebody waits or listens.
 */
export class PublishedView {
  readonly #options: PublishedViewOptions;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<(view: SharedView) => void>();
  readonly #listeners = new Set<(view: SharedView) => void>();
  readonly #onView = (view: ClusterView): void => this.#guarded(() => this.#follow(view));
  #current: SharedView | null = null;
  #content = '';
  /** What the current one was made of. */
  #madeOf: readonly unknown[] = [];
  #madeAt = Number.NEGATIVE_INFINITY;
  /** A Broker is in slow start, so the content changes by itself. */
  #warming = false;
  #leaders: ClusterView['leaders'] | null = null;
  #told: SharedView | null = null;
  #toldAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #following = false;
  #closed = false;

  constructor(options: PublishedViewOptions) {
    this.#options = options;
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
  }

  /** The view now; the same object as before if its content is the same. */
  get current(): SharedView {
    const { cluster, discovery, draining } = this.#options;
    const { view } = cluster;
    const madeOf = [view, discovery.snapshot, discovery.status, draining()];
    const now = performance.now();
    const isFresh = !this.#warming || now - this.#madeAt < COALESCE_MS;
    if (this.#current !== null && isFresh && madeOf.every((part, i) => part === this.#madeOf[i])) {
      return this.#current;
    }
    const shared = shareView(view, discovery, draining());
    const content = JSON.stringify(shared);
    this.#madeOf = madeOf;
    this.#madeAt = now;
    this.#warming = shared.brokers.some(({ weight }) => weight > 0 && weight < 100);
    if (this.#current === null || content !== this.#content) {
      this.#content = content;
      this.#current = { version: digestOf(content), ...shared };
    }
    return this.#current;
  }

  /** Whether as many wait as may. */
  get full(): boolean {
    return this.#waiting.size >= this.#maxWaiting;
  }

  /** Number of those who wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits until `isNews` is true of a view, at most for `waitMs`. It is over at once if it is true already, or if the
   * gateway ends. The caller asks `full` before.
   */
  wait(isNews: (view: SharedView) => boolean, waitMs: number): Wait {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    if (this.#closed || isNews(this.current)) {
      resolve();
      return { over, leave() {} };
    }
    const leave = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(look);
      resolve();
      this.#rest();
    };
    const look = (view: SharedView): void => {
      // Whoever cannot judge the view any more is not left waiting.
      let isOver = true;
      this.#guarded(() => {
        isOver = this.#closed || isNews(view);
      });
      if (isOver) leave();
    };
    const timer = setTimeout(leave, waitMs);
    this.#waiting.add(look);
    this.#start();
    return { over, leave };
  }

  /** Calls the listener with each view that differs from the one before. Returns a function that stops this. */
  onChange(listener: (view: SharedView) => void): () => void {
    this.#listeners.add(listener);
    this.#start();
    return () => {
      this.#listeners.delete(listener);
      this.#rest();
    };
  }

  /** Tells those who wait of a change that comes with no view: the gateway drains. */
  look(): void {
    if (this.#following) this.#guarded(() => this.#tell());
  }

  /** Ends all waits; from now on nobody is left waiting. */
  close(): void {
    this.#closed = true;
    const { current } = this;
    for (const look of [...this.#waiting]) look(current);
    this.#listeners.clear();
    this.#rest();
  }

  #start(): void {
    if (this.#following || this.#closed) return;
    this.#following = true;
    const { cluster } = this.#options;
    this.#leaders = cluster.view.leaders;
    this.#told = this.current;
    cluster.on('view', this.#onView);
    this.#lookAgain();
  }

  #rest(): void {
    if (!this.#following || this.#waiting.size + this.#listeners.size > 0) return;
    this.#following = false;
    this.#options.cluster.off('view', this.#onView);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A change of a leader is told at once, and others soon: a crowd of Brokers that come or go is one change. */
  #follow({ leaders }: ClusterView): void {
    const before = this.#leaders;
    this.#leaders = leaders;
    const isUrgent = before?.coordinator !== leaders.coordinator || before?.overlord !== leaders.overlord;
    const wait = this.#toldAt + COALESCE_MS - performance.now();
    if (isUrgent || wait <= 0) this.#tell();
    else this.#tellIn(wait);
  }

  #tell(): void {
    const view = this.current;
    if (view !== this.#told) {
      this.#told = view;
      this.#toldAt = performance.now();
      for (const look of [...this.#waiting]) look(view);
      for (const listener of [...this.#listeners]) this.#guarded(() => listener(view));
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#lookAgain();
  }

  #lookAgain(): void {
    if (this.#warming && this.#following) this.#tellIn(WARMING_MS);
  }

  #tellIn(delayMs: number): void {
    // A look that is due for slow start may be too late for a change.
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#guarded(() => this.#tell()), delayMs).unref();
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#options.errors.report('admin', error));
  }
}
