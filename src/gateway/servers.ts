import type { AddressInfo } from 'node:net';
import type { Metrics } from '../metrics/metrics.ts';
import type { WorkerStatus } from '../workers/worker-status.ts';

/** Who serves clients: this process itself, or its workers. */
export interface Servers {
  /** Rejects, with nothing left open, when the address cannot be had. */
  listen(): Promise<AddressInfo>;
  /** Drains as configured. */
  stop(): Promise<void>;
  readonly metrics: Pick<Metrics, 'render' | 'contentType'>;
  /** Brings the nodes' `outstanding` up to date; false when somebody did not say in time what they have. */
  refresh(): Promise<boolean>;
  /** Null where this process serves by itself. */
  workers(): readonly WorkerStatus[] | null;
}
