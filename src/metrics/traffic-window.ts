import { type ReasonCode, reasonOf } from '../errors/catalogue.ts';
import type { MetricsJson } from '../workers/protocol/messages.ts';
import { TRAFFIC_METRICS } from './traffic-metrics.ts';

/** The traffic of one class of requests over the window. */
export interface ClassTraffic {
  /** Requests per second. */
  readonly rate: number;
  /** Quantiles of the duration, in ms, interpolated within the histogram's buckets; null without a request. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Share of answers with a status of 500 or more, Druid's own included: 0 to 1. */
  readonly errors: number;
}

/** The gateway's own error answers of one reason to one class of requests, between two samples. */
export interface Refusals {
  /** ISO time of the later sample. */
  readonly at: string;
  readonly reason: string;
  readonly class: string;
  readonly status: number;
  readonly count: number;
}

export interface Traffic {
  readonly classes: Readonly<Record<string, ClassTraffic>>;
  /** The latest first. */
  readonly refusals: readonly Refusals[];
  /** The gateway's own error answers since it started, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Length of the window, in ms. */
export const WINDOW_MS = 10_000;
const MOST_REFUSALS = 50;

interface ClassCounts {
  requests: number;
  failed: number;
  /** Requests that took at most so many seconds, by that bound. */
  readonly within: Map<number, number>;
}

/** What one sample says. */
interface Counts {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly classes: Map<string, ClassCounts>;
  /** By reason, then by class. */
  readonly refused: Map<string, Map<string, number>>;
}

/** Computes rates and quantiles from samples of counters that only grow. */
export class TrafficWindow {
  #samples: Counts[] = [];
  #refusals: Refusals[] = [];

  /** Takes a sample of `TRAFFIC_METRICS` at a time in epoch milliseconds. Returns the traffic up to it. */
  add(metrics: MetricsJson, at: number): Traffic {
    const now = countsOf(metrics, at);
    const last = this.#samples.at(-1);
    // A clock that was set back makes no rates.
    if (last !== undefined && at <= last.at) this.#samples = [];
    else if (last !== undefined) this.#addRefusals(last, now);
    this.#samples.push(now);
    while ((this.#samples[1]?.at ?? Number.POSITIVE_INFINITY) <= at - WINDOW_MS) this.#samples.shift();
    return {
      classes: trafficBetween(this.#samples[0] ?? now, now),
      refusals: this.#refusals,
      refused: Object.fromEntries(
        [...now.refused].map(([reason, byClass]) => [reason, sum(byClass.values())]),
      ),
    };
  }

  /** Forgets the samples: the next one begins a new window. */
  clear(): void {
    this.#samples = [];
    this.#refusals = [];
  }

  #addRefusals(last: Counts, now: Counts): void {
    const fresh: Refusals[] = [];
    const at = new Date(now.at).toISOString();
    for (const [reason, byClass] of now.refused) {
      const { status } = reasonOf(reason as ReasonCode);
      for (const [kind, total] of byClass) {
        const count = total - (last.refused.get(reason)?.get(kind) ?? 0);
        if (count > 0) fresh.push({ at, reason, class: kind, status, count });
      }
    }
    if (fresh.length > 0) this.#refusals = [...fresh, ...this.#refusals].slice(0, MOST_REFUSALS);
  }
}

function trafficBetween(from: Counts, to: Counts): Record<string, ClassTraffic> {
  const seconds = (to.at - from.at) / 1_000;
  if (seconds <= 0) return {};
  const traffic: Record<string, ClassTraffic> = {};
  for (const [name, after] of to.classes) {
    const before = from.classes.get(name);
    const requests = Math.max(0, after.requests - (before?.requests ?? 0));
    const failed = Math.max(0, after.failed - (before?.failed ?? 0));
    traffic[name] = {
      rate: requests / seconds,
      p50Ms: quantileMs(0.5, before, after),
      p99Ms: quantileMs(0.99, before, after),
      errors: requests === 0 ? 0 : Math.min(1, failed / requests),
    };
  }
  return traffic;
}

/** As Prometheus' `histogram_quantile`: linear within a bucket; above the largest bound, that bound. */
function quantileMs(quantile: number, before: ClassCounts | undefined, after: ClassCounts): number | null {
  const bounds = [...after.within.keys()].toSorted((a, b) => a - b);
  const below = (bound: number): number => (after.within.get(bound) ?? 0) - (before?.within.get(bound) ?? 0);
  const rank = quantile * below(Number.POSITIVE_INFINITY);
  if (!(rank > 0)) return null;
  let lower = 0;
  let belowLower = 0;
  for (const bound of bounds) {
    const count = below(bound);
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lower * 1_000;
      return (lower + ((bound - lower) * (rank - belowLower)) / (count - belowLower)) * 1_000;
    }
    lower = bound;
    belowLower = count;
  }
  return lower * 1_000;
}

function countsOf(metrics: MetricsJson, at: number): Counts {
  const classes = new Map<string, ClassCounts>();
  const refused = new Map<string, Map<string, number>>();
  const classOf = (name: string): ClassCounts => {
    const known = classes.get(name);
    if (known !== undefined) return known;
    const fresh: ClassCounts = { requests: 0, failed: 0, within: new Map() };
    classes.set(name, fresh);
    return fresh;
  };
  for (const { name, values } of metrics) {
    for (const { labels, value } of values) {
      const { class: kind = '', status = '', reason = '', le } = labels;
      if (name === TRAFFIC_METRICS.requests) {
        const counts = classOf(String(kind));
        counts.requests += value;
        if (isFailure(String(status))) counts.failed += value;
      } else if (name === TRAFFIC_METRICS.duration && le !== undefined) {
        const { within } = classOf(String(kind));
        const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
        within.set(bound, (within.get(bound) ?? 0) + value);
      } else if (name === TRAFFIC_METRICS.errors) {
        const byClass = refused.get(String(reason)) ?? new Map<string, number>();
        byClass.set(String(kind), (byClass.get(String(kind)) ?? 0) + value);
        refused.set(String(reason), byClass);
      }
    }
  }
  return { at, classes, refused };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** `other` is a status that HTTP does not know. */
function isFailure(status: string): boolean {
  return status === 'other' || Number(status) >= 500;
}
