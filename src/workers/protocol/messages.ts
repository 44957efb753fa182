import type { AddressInfo } from 'node:net';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { NodeOutcome } from '../../cluster/node.ts';
import type { NodeCounts } from '../../cluster/node-traffic.ts';
import type { LogLevel } from '../../config/log-levels.ts';
import type { Config } from '../../config/schema.ts';
import type { ExplainQuestion, Explanation } from '../../exchange/explain/explanation.ts';
import type { LeaderWaits } from '../../exchange/leader-waits.ts';
import type { ViewParts } from './view-codec.ts';

/** Metrics as a registry exports them for another process. */
export type MetricsJson = readonly MetricObjectWithValues<MetricValue<string>>[];

/** A JDBC connection's id and the `host:port` of its Broker. */
export type ConnectionEntry = readonly [id: string, hostAndPort: string];

/** Interval of a worker's pulses, in ms. */
export const PULSE_MS = 1_000;

/** Messages from the primary process to a worker. */
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
  /** Views sent from now on include the reports up to this one. */
  | { readonly kind: 'heard'; readonly report: number }
  /** Nodes (by origin) that just failed a request in some worker. From now on their successes are reported too. */
  | { readonly kind: 'watch'; readonly origins: readonly string[] }
  | { readonly kind: 'connections'; readonly entries: readonly ConnectionEntry[] }
  | { readonly kind: 'ask'; readonly question: number; readonly asked: Asked }
  | { readonly kind: 'log-level'; readonly level: LogLevel }
  /** A changed configuration, to be answered by `reloaded`. Its level of the log is set by `log-level`. */
  | { readonly kind: 'reload'; readonly question: number; readonly config: Config }
  | { readonly kind: 'stop' };

/** What the primary wants to know besides loads. */
export interface Asked {
  readonly metrics?: true;
  readonly explain?: ExplainQuestion;
}

/** Requests in flight at a node, by its origin. */
export type Load = readonly [origin: string, outstanding: number];

/** What a worker has counted at a node, by its origin. */
export type Traffic = readonly [origin: string, counts: NodeCounts];

export interface WorkerAnswer {
  readonly loads: readonly Load[];
  readonly traffic: readonly Traffic[];
  readonly inFlight: number;
  /** Null if metrics were not asked for. */
  readonly metrics: MetricsJson | null;
  /** Null if none was asked for. */
  readonly explanation: Explanation | null;
}

/** Why a worker cannot listen, as the system reported it. */
export interface ListenFailure {
  readonly message: string;
  readonly code?: string;
  readonly address?: string;
  readonly port?: number;
}

/** Messages from a worker to the primary process. */
export type FromWorker =
  /** The worker can receive messages. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly address: AddressInfo }
  | { readonly kind: 'failed'; readonly failure: ListenFailure }
  | { readonly kind: 'draining' }
  /** The worker hit a fault of its own. It has stopped listening and will end in a moment. */
  | { readonly kind: 'fault' }
  /** Requests that have ended and had waited for a leader. */
  | { readonly kind: 'waits'; readonly waits: readonly LeaderWaits[] }
  /** Sent every `PULSE_MS` as a sign of life. */
  | {
      readonly kind: 'pulse';
      /** Internal errors since the worker started. */
      readonly internalErrors: number;
      /** Longest time the event loop was blocked since the last pulse, in ms. */
      readonly stallMs: number;
    }
  | {
      readonly kind: 'reports';
      /** Grows with each message of reports. */
      readonly report: number;
      readonly outcomes: readonly (readonly [origin: string, outcome: NodeOutcome])[];
    }
  | { readonly kind: 'connections'; readonly entries: readonly ConnectionEntry[] }
  | { readonly kind: 'answer'; readonly question: number; readonly answer: WorkerAnswer }
  /** The worker has taken up the configuration; otherwise `problem` says in one sentence why not. */
  | { readonly kind: 'reloaded'; readonly question: number; readonly problem: string | null }
  /** The worker's counts at its end; not sent if it is killed. */
  | { readonly kind: 'last'; readonly metrics: MetricsJson; readonly traffic: readonly Traffic[] };
