import { ContainedEmitter, type InternalErrors } from '../faults/internal-errors.ts';
import {
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  EMPTY_SNAPSHOT,
  type SourceKind,
  type SourceState,
  type SourceStatus,
} from './discovery.ts';
import { betweenTerms } from './terms-anew.ts';

/** As much of a source as decides whether it is believed. */
interface Trusted {
  readonly state: SourceState;
  readonly complete: boolean;
}

/**
 * Returns the index of the source to believe, of sources in the order of trust: the first that has been read whole and is
 * in touch, or was a moment ago. If there is none, the first that has been read whole, otherwise the first.
 */
export function believed(sources: readonly Trusted[]): number {
  const inTouch = sources.findIndex(
    ({ state, complete }) => complete && (state === 'connected' || state === 'suspended'),
  );
  if (inTouch !== -1) return inTouch;
  return Math.max(
    0,
    sources.findIndex(({ complete }) => complete),
  );
}

/**
 * A discovery of several sources in the order of trust. One at a time is believed, whole: what two of them say is never
 * mixed. A source that was away is believed again as soon as it is back.
 */
export function createDiscoveryInOrder(
  sources: readonly [Discovery, ...Discovery[]],
  errors: InternalErrors,
): Discovery {
  return new DiscoveryInOrder(sources, errors);
}

class DiscoveryInOrder extends ContainedEmitter<DiscoveryEvents> implements Discovery {
  readonly #sources: readonly [Discovery, ...Discovery[]];
  #active = 0;
  #version = 0;
  /** What was told last, as the active source has it. */
  #told: DiscoverySnapshot = EMPTY_SNAPSHOT;
  /** What is told between two sources; null at any other time. */
  #between: DiscoverySnapshot | null = null;

  constructor(sources: readonly [Discovery, ...Discovery[]], errors: InternalErrors) {
    super((error) => errors.report('discovery', error));
    this.#sources = sources;
    for (const source of sources) {
      source.on('snapshot', () => this.#look(source, true));
      source.on('status', () => this.#look(source, false));
      source.on('read', () => {
        if (source === this.#now) this.emit('read');
      });
      source.on('fault', (fault) => this.emit('fault', fault));
    }
  }

  get kind(): SourceKind {
    return this.#now.kind;
  }

  get snapshot(): DiscoverySnapshot {
    return { ...(this.#between ?? this.#now.snapshot), version: this.#version };
  }

  get status(): SourceStatus {
    const { status, kind } = this.#now;
    if (this.#active === 0) return status;
    const [first] = this.#sources;
    const why = first.status.detail === null ? '' : ` (${first.status.detail})`;
    return {
      ...status,
      detail: `nodes are known from ${kind}: ${first.kind} is ${first.status.state}${why}`,
    };
  }

  get sources(): readonly Discovery[] {
    return this.#sources;
  }

  start(): void {
    for (const source of this.#sources) source.start();
  }

  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.close()));
  }

  get #now(): Discovery {
    return this.#sources[this.#active] ?? this.#sources[0];
  }

  #look(source: Discovery, hasChanged: boolean): void {
    const before = this.#now;
    if (before.status.state !== 'closed') {
      this.#active = believed(
        this.#sources.map(({ status: { state }, snapshot: { complete } }) => ({ state, complete })),
      );
    }
    const moved = this.#now !== before;
    if (moved) {
      const { state, detail } = before.status;
      const why = detail === null ? '' : ` (${detail})`;
      this.emit('fault', `nodes are known from ${this.#now.kind} now; ${before.kind} is ${state}${why}`);
    }
    if (moved || (hasChanged && source === this.#now)) this.#tell(moved);
    // While another one is believed, its status tells of the first one, too.
    const isTold = source === this.#now || source === this.#sources[0];
    if (moved || (!hasChanged && isTold)) this.emit('status', this.status);
  }

  #tell(moved: boolean): void {
    const { snapshot } = this.#now;
    if (snapshot === this.#told) return;
    this.#between = moved ? betweenTerms(this.#told, snapshot) : null;
    this.#told = snapshot;
    if (this.#between !== null) this.#emitNext();
    this.#between = null;
    this.#emitNext();
  }

  #emitNext(): void {
    this.#version++;
    this.emit('snapshot', this.snapshot);
  }
}
