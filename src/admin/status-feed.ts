import type { Cluster } from '../cluster/cluster.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import { type Traffic, TrafficWindow } from '../metrics/traffic-window.ts';
import type { MetricsJson } from '../workers/protocol/messages.ts';
import { type EventSink, type EventStreams, eventOf } from './event-streams.ts';
import type { History } from './history/history.ts';
import type { State } from './status.ts';

export interface StatusFeedOptions {
  readonly cluster: Cluster;
  readonly streams: EventStreams;
  /** Returns the state now. */
  readonly state: () => State;
  /** Reads the counters of traffic, and updates the counts of nodes. */
  readonly sampleTraffic: () => Promise<MetricsJson>;
  /** Absent if no record of leadership is kept. */
  readonly history?: Pick<History, 'onTerm'>;
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Interval of the events while nothing changes, in ms; it also shows readers that the gateway is alive. */
const INTERVAL_MS = 2_000;
/** Shortest time between two events, in ms. */
const COALESCE_MS = 200;

/**
 * Computes the events of `GET /events`, once for all readers and only while there are any. A change of the cluster's
 * view is told at once with the counts of the last sample; a sample is taken every `INTERVAL_MS`.
 */
export class StatusFeed {
  readonly #options: StatusFeedOptions;
  readonly #traffic = new TrafficWindow();
  /** The traffic of the last sample; null until there is one. */
  #lastTraffic: Traffic | null = null;
  #lastEvent: Buffer | null = null;
  #toldAt = Number.NEGATIVE_INFINITY;
  #interval: NodeJS.Timeout | null = null;
  #coalescing: NodeJS.Timeout | null = null;
  #sampling = false;
  #stopListening: () => void = () => {};

  constructor(options: StatusFeedOptions) {
    this.#options = options;
  }

  /** Adds a reader; the first one starts the feed. It gets the last state at once, or else the first one. */
  join(stream: EventSink): void {
    this.#options.streams.add(stream, this.#lastEvent);
    if (this.#interval === null) this.#start();
  }

  /** Removes a reader; the last one stops the feed. */
  leave(stream: EventSink): void {
    this.#options.streams.remove(stream);
    if (this.#options.streams.size === 0) this.#stop();
  }

  /** Ends all streams. */
  close(): void {
    this.#options.streams.close();
    this.#stop();
  }

  #start(): void {
    const { cluster, streams, history } = this.#options;
    const onView = (): void => this.#guarded(() => this.#tellSoon());
    cluster.on('view', onView);
    const stopTerms = history?.onTerm((term) => this.#guarded(() => streams.sendNews(eventOf('term', term))));
    this.#stopListening = () => {
      cluster.off('view', onView);
      stopTerms?.();
    };
    this.#interval = setInterval(() => void this.#sample(), INTERVAL_MS);
    void this.#sample();
  }

  #stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    if (this.#coalescing !== null) clearTimeout(this.#coalescing);
    this.#interval = null;
    this.#coalescing = null;
    this.#stopListening();
    this.#stopListening = () => {};
    // Nobody samples now, so the next window must not begin here.
    this.#traffic.clear();
    this.#lastTraffic = null;
    this.#lastEvent = null;
  }

  /** Takes a sample and tells the state. A worker that hangs holds up samples, but no changes of the view. */
  async #sample(): Promise<void> {
    if (this.#sampling) return;
    this.#sampling = true;
    const { sampleTraffic, now, errors } = this.#options;
    try {
      const metrics = await sampleTraffic();
      if (this.#interval !== null) {
        this.#lastTraffic = this.#traffic.add(metrics, now());
        this.#tell();
      }
    } catch (error) {
      errors.report('admin', error);
    }
    this.#sampling = false;
  }

  /** Tells the state now, or as soon as `COALESCE_MS` after the last time. */
  #tellSoon(): void {
    if (this.#coalescing !== null) return;
    const wait = this.#toldAt + COALESCE_MS - performance.now();
    if (wait <= 0) this.#tell();
    else this.#coalescing = setTimeout(() => this.#guarded(() => this.#tell()), wait);
  }

  #tell(): void {
    if (this.#coalescing !== null) clearTimeout(this.#coalescing);
    this.#coalescing = null;
    this.#toldAt = performance.now();
    const { state, streams } = this.#options;
    const traffic = this.#lastTraffic ?? { classes: {}, refusals: [], refused: {} };
    this.#lastEvent = eventOf('status', { ...state(), traffic });
    streams.sendState(this.#lastEvent);
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#options.errors.report('admin', error));
  }
}
