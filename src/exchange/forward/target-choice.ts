import type { UpstreamNode } from '../../cluster/node.ts';
import type { ClusterView } from '../../cluster/view.ts';
import { type HeaderBlock, headerValue } from '../../http/header-block.ts';
import { type Candidate, candidatesFor, connectionCandidates } from '../../routing/candidates.ts';
import { chooseConnection, otherBrokers } from '../../routing/jdbc/broker-choice.ts';
import { connectionIdOf } from '../../routing/jdbc/connection-id.ts';
import { type Whereabouts, whereaboutsOf } from '../../routing/jdbc/whereabouts.ts';
import type { ForwardRoute } from '../../routing/route.ts';
import type { ChoiceLimits, Target } from '../../routing/target.ts';
import { TierSelection } from '../../routing/tiers/tier-selection.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { RequestBody } from './request-body.ts';

/** A choice with its reasons, for people. */
export interface ExplainedChoice {
  readonly target: Target;
  readonly candidates: readonly Candidate[];
  /**
   * `leader`: the node that leads. `draw`: the less busy of two Brokers drawn at random. `connection`: the Broker that
   * has the JDBC connection. `hash`: the Broker that the Router's hash gives a new one to.
   */
  readonly by: 'leader' | 'draw' | 'connection' | 'hash';
  /** Most requests at a node for this request to go there; null if any number. */
  readonly maxPerNode: number | null;
}

/** The status of all of Avatica's errors; one of them is that the Broker does not have the connection. */
const NO_CONNECTION = 500;
export const NO_EXCLUSIONS: ReadonlySet<UpstreamNode> = new Set();

/** `large`: the request may take long to send or to answer, and leaves some of a node's room to others. */
export function limitsOn(large: boolean, options: ExchangeServices['options']): ChoiceLimits {
  return large ? { defaultService: options.defaultService, maxPerNode: options.maxPerNodeForLarge } : options;
}

/** Chooses the node for one request by its route, JDBC connection, tier and earlier failures. */
export class TargetChoice {
  readonly #services: ExchangeServices;
  readonly #route: ForwardRoute;
  readonly #headers: HeaderBlock;
  readonly #body: Pick<RequestBody, 'content'>;
  readonly #limits: ChoiceLimits;
  /** The connection of an Avatica request; undefined until its body has been read. */
  #connectionId: string | null | undefined;
  #whereabouts: Whereabouts | null = null;
  /** Nodes that are not asked again while there is another one. */
  #failed: Set<UpstreamNode> | null = null;
  #placed: TierSelection | null = null;

  constructor(
    services: ExchangeServices,
    route: ForwardRoute,
    headers: HeaderBlock,
    body: Pick<RequestBody, 'content'>,
    large: boolean,
  ) {
    this.#services = services;
    this.#route = route;
    this.#headers = headers;
    this.#body = body;
    this.#limits = limitsOn(large, services.options);
  }

  /** The Broker service that was chosen; null if there was no choice. */
  get placed(): TierSelection | null {
    return this.#placed;
  }

  /** Whether the choice needs the body, which names the JDBC connection or decides the query's service. */
  get needsBody(): boolean {
    return this.#route.class === 'jdbc' || this.#services.tierSelector?.needsBody(this.#route) === true;
  }

  choose(): Target {
    return this.#chooseExcept(this.#failed ?? NO_EXCLUSIONS);
  }

  /** Chooses, and tells what from and by what. */
  explain(): ExplainedChoice {
    const target = this.choose();
    const { cluster, jdbcConnections } = this.#services;
    const { view } = cluster;
    const connection = this.#connection();
    if (connection === null) {
      const { maxPerNode } = this.#among(view);
      const candidates = candidatesFor(this.#route.role, view, this.#among(view));
      return { target, candidates, by: this.#route.role === 'broker' ? 'draw' : 'leader', maxPerNode };
    }
    const remembered = jdbcConnections.brokerOf(connection);
    const candidates = connectionCandidates(view, remembered, this.#connectionsAmong(view));
    const isOwn = target.kind === 'node' && target.node.hostAndPort === remembered;
    return { target, candidates, by: isOwn ? 'connection' : 'hash', maxPerNode: null };
  }

  /** Chooses a node that has not failed yet; null if there is none. `failed` is added to the failed nodes. */
  chooseElsewhere(failed: UpstreamNode): UpstreamNode | null {
    this.#failed ??= new Set();
    this.#failed.add(failed);
    const target = this.#chooseExcept(this.#failed);
    return target.kind === 'wait' || this.#failed.has(target.node) ? null : target.node;
  }

  /** Call after a wait. All nodes may be asked again, except the last that failed while there is another. */
  forgetFailedBut(node: UpstreamNode | null): void {
    this.#failed = node === null ? null : new Set([node]);
  }

  /**
   * Remembers that the request's JDBC connection, if any, is at `node`. Only a 2xx proves it, and not to every request:
   * otherwise `node` may have refused the caller, or not have the connection.
   */
  remember(node: UpstreamNode, status: number): void {
    if (status < 200 || status > 299) return;
    const connection = this.#connection();
    if (connection === null) return;
    const { jdbcConnections } = this.#services;
    if (jdbcConnections.brokerOf(connection) !== node.hostAndPort && this.#tells() !== 'tells') return;
    jdbcConnections.remember(connection, node.hostAndPort);
  }

  /**
   * Whether an answer with this status may come from a Broker that does not have the request's JDBC connection, while
   * another one may have it.
   */
  mayBeElsewhere(status: number): boolean {
    const connection = this.#connection();
    if (connection === null) return false;
    if (status === NO_CONNECTION) return true;
    if (status < 200 || status > 299) return false;
    return this.#services.jdbcConnections.brokerOf(connection) === null && this.closes;
  }

  /** Whether the request closes its JDBC connection or a statement of it, which every Broker answers with 200. */
  get closes(): boolean {
    return this.#tells() === 'closes';
  }

  /** The first Brokers besides `asked` that may have the request's JDBC connection, at most `most`. */
  connectionElsewhere(asked: UpstreamNode, most: number): UpstreamNode[] {
    const connection = this.#connection();
    if (connection === null) return [];
    const { cluster, options } = this.#services;
    return otherBrokers(connection, asked, cluster.view, options.services).slice(0, most);
  }

  #chooseExcept(excluded: ReadonlySet<UpstreamNode>): Target {
    const { cluster, chooseTarget, jdbcConnections, random } = this.#services;
    const { view } = cluster;
    const connection = this.#connection();
    if (connection !== null) {
      const broker = jdbcConnections.brokerOf(connection);
      return chooseConnection(connection, broker, view, excluded, this.#connectionsAmong(view));
    }
    return chooseTarget(this.#route, view, random, excluded, this.#among(view));
  }

  /** The service and the room of the nodes to choose from. */
  #among(view: ClusterView): ChoiceLimits {
    return this.#place(false)?.among(view, this.#limits) ?? this.#limits;
  }

  /** The services to choose from for a JDBC connection. */
  #connectionsAmong(view: ClusterView): ReadonlySet<string> {
    const { services } = this.#services.options;
    return this.#place(true)?.connectionsAmong(view, services) ?? services;
  }

  #place(connected: boolean): TierSelection | null {
    const { tierSelector } = this.#services;
    const route = this.#route;
    if (tierSelector === null || route.role !== 'broker') return null;
    if (this.#placed !== null) return this.#placed;
    const request = {
      route,
      header: (name: string) => headerValue(this.#headers, name),
      body: this.#body.content.bytes,
    };
    const placement = connected ? tierSelector.selectByRule(request) : tierSelector.select(request);
    this.#placed = placement === null ? null : new TierSelection(placement);
    return this.#placed;
  }

  #tells(): Whereabouts {
    const request = headerValue(this.#headers, 'request');
    this.#whereabouts ??= whereaboutsOf(this.#route.target, this.#body.content.bytes, request);
    return this.#whereabouts;
  }

  /** The id of the request's JDBC connection; null if it has none. */
  #connection(): string | null {
    if (this.#route.class !== 'jdbc') return null;
    if (this.#connectionId === undefined) {
      const request = headerValue(this.#headers, 'request');
      this.#connectionId = connectionIdOf(this.#route.target, this.#body.content.bytes, request);
    }
    return this.#connectionId;
  }
}
