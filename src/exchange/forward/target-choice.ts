import type { UpstreamNode } from '../../cluster/node.ts';
import { type HeaderBlock, headerValue } from '../../http/header-block.ts';
import { chooseConnection } from '../../routing/jdbc/broker-choice.ts';
import { connectionIdOf } from '../../routing/jdbc/connection-id.ts';
import type { ForwardRoute } from '../../routing/route.ts';
import type { Target } from '../../routing/target.ts';
import { TierSelection } from '../../routing/tiers/tier-selection.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { RequestBody } from './request-body.ts';

const NO_EXCLUSIONS: ReadonlySet<UpstreamNode> = new Set();

/** Which node one request goes to: by its route, its JDBC connection, its tier, and where it has failed already. */
export class TargetChoice {
  readonly #services: ExchangeServices;
  readonly #route: ForwardRoute;
  readonly #headers: HeaderBlock;
  readonly #body: RequestBody;
  /** Of an Avatica request; undefined as long as its body has not been read. */
  #connectionId: string | null | undefined;
  /** Nodes that are not asked again while there is another one. */
  #failed: Set<UpstreamNode> | null = null;
  #placed: TierSelection | null = null;

  constructor(services: ExchangeServices, route: ForwardRoute, headers: HeaderBlock, body: RequestBody) {
    this.#services = services;
    this.#route = route;
    this.#headers = headers;
    this.#body = body;
  }

  /** The Broker service that was chosen; null where there was nothing to choose. */
  get placed(): TierSelection | null {
    return this.#placed;
  }

  /** Which Broker has a JDBC connection, and which service a query is for, is known when its body is here. */
  get needsBody(): boolean {
    return this.#route.class === 'jdbc' || this.#services.tierSelector?.needsBody(this.#route) === true;
  }

  choose(): Target {
    return this.#chooseExcept(this.#failed ?? NO_EXCLUSIONS);
  }

  /** Another node than those that failed; null where there is none. */
  chooseElsewhere(failed: UpstreamNode): UpstreamNode | null {
    this.#failed ??= new Set();
    this.#failed.add(failed);
    const target = this.#chooseExcept(this.#failed);
    return target.kind === 'wait' || this.#failed.has(target.node) ? null : target.node;
  }

  /** After a wait all nodes may be asked again but the one that failed last, while there is another. */
  forgetFailedBut(node: UpstreamNode | null): void {
    this.#failed = node === null ? null : new Set([node]);
  }

  /** The JDBC connection, if there is one, is at `node`: if it says so, and does not refuse whoever asked for it. */
  remember(node: UpstreamNode, status: number): void {
    if (status < 200 || status > 299) return;
    const connection = this.#connection();
    if (connection !== null) this.#services.jdbcConnections.remember(connection, node.hostAndPort);
  }

  #chooseExcept(excluded: ReadonlySet<UpstreamNode>): Target {
    const { cluster, chooseTarget, jdbcConnections: connections, random, options } = this.#services;
    const { view } = cluster;
    const connection = this.#connection();
    const placed = this.#place(connection !== null);
    if (connection !== null) {
      const broker = connections.brokerOf(connection);
      const among = placed?.connectionsAmong(view, options.services) ?? options.services;
      return chooseConnection(connection, broker, view, excluded, among);
    }
    return chooseTarget(this.#route, view, random, excluded, placed?.among(view, options) ?? options);
  }

  #place(connected: boolean): TierSelection | null {
    const { tierSelector } = this.#services;
    const route = this.#route;
    if (tierSelector === null || route.role !== 'broker') return null;
    if (this.#placed !== null) return this.#placed;
    const request = {
      route,
      header: (name: string) => headerValue(this.#headers, name),
      body: this.#body.content,
    };
    const placement = connected ? tierSelector.selectByRule(request) : tierSelector.select(request);
    this.#placed = placement === null ? null : new TierSelection(placement);
    return this.#placed;
  }

  /** The id of the JDBC connection that the request is about, if it is. */
  #connection(): string | null {
    if (this.#route.class !== 'jdbc') return null;
    if (this.#connectionId === undefined) {
      const request = headerValue(this.#headers, 'request');
      this.#connectionId = connectionIdOf(this.#route.target, this.#body.content, request);
    }
    return this.#connectionId;
  }
}
