import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { MASTER_ROLES, type MasterRole } from '../discovery/discovery.ts';

/** As much of a term of leadership as the metrics look at. */
export interface TermObserved {
  readonly role: MasterRole;
  /** When it began; tells the terms of a role apart. */
  readonly from: string;
  /** Null while it lasts. */
  readonly to: string | null;
  /** Time without a serving leader before it, in ms; null if unknown. */
  readonly gapMs: number | null;
}

/** The record of who led. Times are in epoch milliseconds. */
export interface HistoryObserved {
  /** Calls the listener with each term that begins or ends. Returns a function that stops this. */
  onTerm(listener: (term: TermObserved) => void): () => void;
  /** Number of terms that are kept. */
  kept(role: MasterRole): number;
  /** Requests that waited for a leader and have ended, since the start. */
  waits(role: MasterRole): { readonly waited: number; readonly failed: number };
  /** Whether the last write of the file succeeded; true before the first, and where there is no file. */
  readonly written: boolean;
  /** When the file was last written; 0 if it has not been. */
  readonly writtenAt: number;
}

/** In seconds: from a hand-over to a cluster whose masters have to be started by hand. */
const GAP_BUCKETS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Registers the metrics of the history. Returns a function that removes the listener. */
export function historyMetrics(registry: Registry, history: HistoryObserved): () => void {
  const registers = [registry];
  const gaps = new Histogram({
    name: 'druid_gateway_leader_gap_seconds',
    help: 'How long there was no serving leader before another term began.',
    labelNames: ['role'],
    buckets: GAP_BUCKETS,
    registers,
  });
  for (const role of MASTER_ROLES) gaps.zero({ role });
  new Counter({
    name: 'druid_gateway_leader_waits_total',
    help: 'Requests that waited for a leader and have ended, by whether the gateway then refused them.',
    labelNames: ['role', 'outcome'],
    registers,
    collect() {
      this.reset();
      for (const role of MASTER_ROLES) {
        const { waited, failed } = history.waits(role);
        this.inc({ role, outcome: 'served' }, waited - failed);
        this.inc({ role, outcome: 'failed' }, failed);
      }
    },
  });
  new Gauge({
    name: 'druid_gateway_history_terms',
    help: 'Terms of leadership in the history.',
    labelNames: ['role'],
    registers,
    collect() {
      for (const role of MASTER_ROLES) this.set({ role }, history.kept(role));
    },
  });
  new Gauge({
    name: 'druid_gateway_history_last_write_successful',
    help: '1 unless the last attempt to write the file of the history failed.',
    registers,
    collect() {
      this.set(history.written ? 1 : 0);
    },
  });
  new Gauge({
    name: 'druid_gateway_history_last_write_success_timestamp_seconds',
    help: 'When the file of the history was last written, in Unix time; 0 where it has not been.',
    registers,
    collect() {
      this.set(history.writtenAt / 1000);
    },
  });
  const last = new Map<MasterRole, string>();
  return history.onTerm(({ role, from, to, gapMs }) => {
    // A term that goes on after a doubt is told again, with the gap of its beginning.
    if (to !== null || last.get(role) === from) return;
    last.set(role, from);
    if (gapMs !== null) gaps.observe({ role }, gapMs / 1000);
  });
}
