import type { Role } from '../discovery/discovery.ts';
import type { GatewayError } from '../errors/gateway-error.ts';

/**
 * The kind of a request; retries, deadlines and metrics depend on it.
 *
 * - `read`: GET or HEAD, or a POST that changes nothing. `write`: anything else to a master; never sent twice.
 * - `query`: a native or SQL query (read-only). `statement`: MSQ task or statement, may write; never sent twice.
 * - `cancel`: DELETE of a query. `jdbc`: Avatica. `stream`: long downloads (task logs, statement results).
 */
export type RouteClass = 'read' | 'write' | 'query' | 'statement' | 'cancel' | 'jdbc' | 'stream';

/** Requests that the gateway answers as the Router would. */
export type LocalName =
  | 'proxy-enabled'
  | 'router-brokers'
  | 'status'
  | 'status-properties'
  | 'status-health'
  | 'status-ready'
  | 'broker-readiness'
  | 'self-discovered'
  | 'self-discovered-status'
  | 'base-path'
  | 'options';

export type Route =
  | {
      readonly kind: 'forward';
      readonly role: Role;
      readonly class: RouteClass;
      /** Raw path and query for the upstream: the client's own bytes, without a `/proxy/<role>` prefix. */
      readonly target: string;
    }
  | { readonly kind: 'console'; readonly target: string }
  | { readonly kind: 'local'; readonly name: LocalName; readonly target: string; readonly allow?: string }
  | { readonly kind: 'refused'; readonly error: GatewayError };

export type ForwardRoute = Extract<Route, { kind: 'forward' }>;

/** What decided the route of a request, for people. */
export interface RouteRule {
  /**
   * `path`: the table of paths that are open. `denied`: that of paths which are not. `routes.allow`: a path that the
   * configuration opens. `proxy`: `/proxy/<role>`. `local`, `console`: what the gateway answers, or the console has.
   */
  readonly by: 'path' | 'denied' | 'routes.allow' | 'proxy' | 'local' | 'console';
  /** The path or prefix that matched. */
  readonly matched: string;
}

/** Is told the rule that decides, if there is one. */
export type RuleTold = (rule: RouteRule) => void;
