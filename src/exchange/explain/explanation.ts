import type { KnownBy, LeaderState } from '../../cluster/view.ts';
import type { Role, SourceState } from '../../discovery/discovery.ts';
import type { ReasonCode } from '../../errors/catalogue.ts';
import type { LocalName, RouteClass, RouteRule } from '../../routing/route.ts';
import type { SelectedBy } from '../../routing/tiers/tier-selector.ts';
import type { ExplainedChoice } from '../forward/target-choice.ts';

/** A request to explain. */
export interface ExplainQuestion {
  readonly method: string;
  /** Path and query as on the request line. */
  readonly target: string;
  /** Header lines, see `HeaderBlock`. */
  readonly headers: string;
  /** In base64. */
  readonly body: string;
  /** The client's address. */
  readonly client: string;
}

/** What would become of a request now. Ages and durations are in ms. */
export interface Explanation {
  readonly request: { readonly method: string; readonly path: string; readonly client: string };
  readonly route: ExplainedRoute;
  /** The Broker service that was chosen, and by what; null if there is only one, or the request goes to no Broker. */
  readonly tier: ExplainedTier | null;
  /** Null if no node is chosen for the request. */
  readonly choice: ExplainedNodes | null;
  /** Where the client would be redirected, by `mode` as it is and if all modes were `redirect`; null: relayed. */
  readonly redirect: { readonly asConfigured: string | null; readonly inRedirectMode: string | null } | null;
  readonly limits: ExplainedLimits | null;
  readonly outcome: Outcome;
  readonly evidence: Evidence;
}

export interface ExplainedRoute {
  readonly kind: 'forward' | 'console' | 'local' | 'refused';
  readonly role: Role | null;
  readonly class: RouteClass | null;
  /** Path and query as the node gets them; null if no node does. */
  readonly target: string | null;
  /** The rule of paths that decided; null if none did. */
  readonly rule: RouteRule | null;
  /** What the gateway answers by itself; null if it does not. */
  readonly local: LocalName | null;
}

export interface ExplainedTier {
  readonly service: string;
  readonly by: SelectedBy;
  /** Number of the rule in `brokers.rules`, from 1; null if none chose. */
  readonly rule: number | null;
  /** The service has no ready Broker, so the default service gets the request. */
  readonly fellBack: boolean;
  /** Age of the Coordinator's load rules; null if they are not used, or not read yet. */
  readonly loadRulesAgeMs: number | null;
}

export interface ExplainedNodes {
  /** `host:port`; several for a cancel, which all of them get. */
  readonly nodes: readonly string[];
  readonly by: ExplainedChoice['by'] | 'cancel';
  readonly candidates: readonly {
    /** `host:port` */
    readonly node: string;
    readonly service: string | null;
    readonly outstanding: number;
    /** Null if the request may go there. */
    readonly refusal: string | null;
  }[];
}

/** The counts that the limits compare, of this process. */
export interface ExplainedLimits {
  readonly large: boolean;
  /** What the limits on requests at nodes say. */
  readonly place: 'enters' | 'waits' | 'refused';
  /** Requests of this role that are at nodes. */
  readonly running: number;
  /** Requests of this role that wait, and of these, those that wait for room only. */
  readonly waiting: number;
  readonly queued: number;
  /** Most requests at a node for this one to go there; null if any number. */
  readonly maxPerNode: number | null;
}

export type Outcome =
  /** Relayed by a node, or by all Brokers that are asked to cancel. */
  | { readonly kind: 'relayed'; readonly nodes: readonly string[] }
  | { readonly kind: 'redirected'; readonly status: 307; readonly location: string }
  /** Answered by the gateway itself. */
  | { readonly kind: 'answered'; readonly status: number }
  /** Waits up to `longestMs`, and is then refused with this status. */
  | {
      readonly kind: 'waits';
      readonly reason: ReasonCode;
      readonly status: number;
      readonly longestMs: number;
    }
  | {
      readonly kind: 'refused';
      readonly reason: ReasonCode;
      readonly status: number;
      readonly message: string;
    };

/** What the decision rests on. */
export interface Evidence {
  /** Version of the view of the cluster, counted by this process. */
  readonly view: number;
  readonly discovery: SourceState;
  /** Since discovery was last read; null if it never was. */
  readonly discoveryAgeMs: number | null;
  /** The leader of the role; null for Brokers. */
  readonly leader: {
    readonly node: string | null;
    readonly state: LeaderState;
    readonly knownBy: KnownBy;
    readonly term: number | null;
    /** Since state, node or term last changed. */
    readonly ageMs: number;
  } | null;
}
