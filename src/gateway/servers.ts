import type { AddressInfo } from 'node:net';
import type { Explained } from '../admin/explain.ts';
import type { LogLevel } from '../config/log-levels.ts';
import type { Config } from '../config/schema.ts';
import type { ExplainQuestion } from '../exchange/explain/explanation.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';

/** Serves clients: from this process, or through its workers. */
export interface Servers {
  /** If the address is unavailable, closes everything and rejects. */
  listen(): Promise<AddressInfo>;
  /** Drains as configured. */
  stop(): Promise<void>;
  /**
   * Takes up what can be changed without a restart. Resolves to problems of processes that have not taken it, one
   * sentence each. Rejects with an Error of one sentence if a file is unusable; then nothing has changed.
   */
  reload(config: Config): Promise<readonly string[]>;
  readonly metrics: Pick<Metrics, 'render' | 'contentType' | 'sampleTraffic'>;
  /** Updates the nodes' `outstanding`; false if a worker did not answer in time. */
  refresh(): Promise<boolean>;
  /** Null if this process serves by itself. */
  workers(): readonly WorkerStatus[] | null;
  /** Explains what would become of a request now; null if no worker answers. */
  explain(question: ExplainQuestion): Promise<Explained | null>;
  /** Sets the level of the workers' logs, if there are workers; also of those that start later. */
  setLogLevel(level: LogLevel): void;
}
