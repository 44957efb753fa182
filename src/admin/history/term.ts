import type { KnownBy } from '../../cluster/view.ts';
import type { MasterRole } from '../../discovery/discovery.ts';

/** One leadership of one node, as `GET /history` shows it. */
export interface Term {
  readonly role: MasterRole;
  /** `host:port` */
  readonly node: string;
  /** The latch's sequence number; null if no latch named the node. */
  readonly term: number | null;
  /** ISO time at which the node was first seen serving. */
  readonly from: string;
  /** ISO time at which it was last seen serving; null while it leads. */
  readonly to: string | null;
  /** Time without a serving leader before it, in ms; null if unknown. */
  readonly gapMs: number | null;
  /** Requests that waited in that gap. */
  readonly waited: number;
  /** Of these, the ones that ended in an error of the gateway. */
  readonly failed: number;
  readonly knownBy: KnownBy;
}
