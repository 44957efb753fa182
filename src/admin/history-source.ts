import type { KnownBy } from '../cluster/view.ts';
import type { MasterRole } from '../discovery/discovery.ts';

/** One leadership of one node. */
export interface Term {
  readonly role: MasterRole;
  /** `host:port` */
  readonly node: string;
  readonly term: number | null;
  /** ISO time at which the node was first seen serving. */
  readonly from: string;
  /** ISO time of its end; null while it leads. */
  readonly to: string | null;
  /** Time without a serving leader before it, in ms; null if unknown. */
  readonly gapMs: number | null;
  /** Requests that waited in that gap. */
  readonly waited: number;
  /** Of these, the ones that ended in an error of the gateway. */
  readonly failed: number;
  readonly knownBy: KnownBy;
}

/** The record of leadership. */
export interface HistorySource {
  /** What `GET /history` answers: all terms on record, oldest first. */
  readonly body: { readonly terms: readonly Term[] };
  /** Calls the listener with each term that begins or ends. Returns a function that stops this. */
  onTerm(listener: (term: Term) => void): () => void;
}
