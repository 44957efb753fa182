import type { AddressInfo } from 'node:net';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { NodeOutcome } from '../../cluster/node.ts';
import type { Config } from '../../config/schema.ts';
import type { ViewParts } from './view-codec.ts';

/** Metrics as a registry tells them to another process. */
export type MetricsJson = readonly MetricObjectWithValues<MetricValue<string>>[];

/** A JDBC connection's id and the `host:port` of its Broker. */
export type ConnectionEntry = readonly [id: string, hostAndPort: string];

/** How often a worker says that it lives, in milliseconds. */
export const PULSE_MS = 1_000;

/** What the primary process says to a worker. */
export type ToWorker =
  | {
      readonly kind: 'begin';
      readonly worker: number;
      readonly config: Config;
      readonly view: ViewParts;
      readonly watched: readonly string[];
    }
  /** The parts of the view that have changed. */
  | { readonly kind: 'view'; readonly parts: Partial<ViewParts> }
  /** Views from now on know of the reports up to this one. */
  | { readonly kind: 'heard'; readonly report: number }
  /** These nodes (origins) have just failed somebody: whether they treat others well counts now. */
  | { readonly kind: 'watch'; readonly origins: readonly string[] }
  | { readonly kind: 'connections'; readonly entries: readonly ConnectionEntry[] }
  | { readonly kind: 'ask'; readonly question: number; readonly metrics: boolean }
  | { readonly kind: 'stop' };

/** Requests under way at a node, by its origin. */
export type Load = readonly [origin: string, outstanding: number];

export interface WorkerAnswer {
  readonly loads: readonly Load[];
  readonly inFlight: number;
  /** Null where they were not asked for. */
  readonly metrics: MetricsJson | null;
}

/** Why a worker cannot listen: what the system said. */
export interface ListenFailure {
  readonly message: string;
  readonly code?: string;
  readonly address?: string;
  readonly port?: number;
}

/** What a worker says to the primary process. */
export type FromWorker =
  /** It takes messages. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly address: AddressInfo }
  | { readonly kind: 'failed'; readonly failure: ListenFailure }
  | { readonly kind: 'draining' }
  /** It is at fault itself: it stops listening, and has ended in a moment. */
  | { readonly kind: 'fault' }
  /** It lives; said every `PULSE_MS`. */
  | {
      readonly kind: 'pulse';
      /** Since it began. */
      readonly internalErrors: number;
      /** The longest that its event loop has been stuck since the last pulse. */
      readonly stallMs: number;
    }
  | {
      readonly kind: 'reports';
      /** Grows with every message of reports. */
      readonly report: number;
      readonly outcomes: readonly (readonly [origin: string, outcome: NodeOutcome])[];
    }
  | { readonly kind: 'connections'; readonly entries: readonly ConnectionEntry[] }
  | { readonly kind: 'answer'; readonly question: number; readonly answer: WorkerAnswer }
  /** What it has counted when it ends, unless it is killed. */
  | { readonly kind: 'last'; readonly metrics: MetricsJson };
