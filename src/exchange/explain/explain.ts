import type { Role } from '../../discovery/discovery.ts';
import { type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import { WholeBody } from '../../http/body.ts';
import { readRequestFields } from '../../http/request-fields.ts';
import type { RedirectPolicy } from '../../routing/redirect/redirect-policy.ts';
import type { ForwardRoute, Route, RouteRule } from '../../routing/route.ts';
import type { Target, UnavailableReason } from '../../routing/target.ts';
import { clientOrigin } from '../client-origin.ts';
import { admitCancel, brokersToAsk } from '../druid/cancel-request.ts';
import { statusPageRoute } from '../druid/status-pages.ts';
import { isLarge, Permit } from '../forward/permit.ts';
import { isLong } from '../forward/request-body.ts';
import { longestLeaderWaitMs, waitRefusal } from '../forward/request-wait.ts';
import { type ExplainedChoice, TargetChoice } from '../forward/target-choice.ts';
import { forwardedHead } from '../forwarded-head.ts';
import { intake, pageRoute, withoutPlacement } from '../intake.ts';
import { isStatusPage, localAnswer } from '../own-answers/local.ts';
import type { RequestHead } from '../ports/client.ts';
import type { ClientOrigin } from '../ports/client-origin.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type {
  Evidence,
  ExplainedLimits,
  ExplainedNodes,
  ExplainedRoute,
  ExplainedTier,
  ExplainQuestion,
  Explanation,
  Outcome,
} from './explanation.ts';

export interface ExplainServices {
  /** The services that requests are served with. */
  readonly exchange: ExchangeServices;
  /** The redirect policy if all modes were `redirect`. */
  readonly inRedirectMode: RedirectPolicy | null;
  /** Age of the Coordinator's load rules in ms; null if they are not used, or not read yet. */
  readonly loadRulesAgeMs: () => number | null;
  /** Whether clients come by TLS. */
  readonly encrypted: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Explains what would become of a request now. */
export type Explain = (question: ExplainQuestion) => Explanation;

const NOTHING = Buffer.alloc(0);

/** A request on its way through the decisions. */
interface Request {
  readonly head: RequestHead;
  readonly origin: ClientOrigin;
  readonly body: Buffer;
}

type Decision = Omit<Explanation, 'request' | 'route' | 'evidence'> & { readonly role: Role | null };

/**
 * Creates the function that explains requests. It calls the functions that serve them, those without effects only, and
 * sends nothing.
 */
export function createExplain(services: ExplainServices): Explain {
  const { exchange, encrypted } = services;
  return (question) => {
    const head = headOf(question, encrypted);
    const origin = clientOrigin(head, exchange.options);
    let rule: RouteRule | null = null;
    const route = intake(head, origin, exchange, (told) => {
      rule = told;
    });
    const request = { head, origin, body: Buffer.from(question.body, 'base64') };
    const { role, ...decision } = decide(services, request, route);
    return {
      request: { method: head.method, path: head.target, client: origin.address },
      route: { ...describeRoute(route, role), rule },
      ...decision,
      evidence: evidenceOf(services, role),
    };
  };
}

function headOf({ method, target, headers, client }: ExplainQuestion, encrypted: boolean): RequestHead {
  return {
    method,
    target,
    block: headers,
    fields: readRequestFields(headers),
    httpMinor: 1,
    remoteAddress: client,
    encrypted,
    certificateName: null,
    id: 'explain',
    receivedAt: 0,
  };
}

function decide(services: ExplainServices, request: Request, route: Route): Decision {
  const { exchange } = services;
  switch (route.kind) {
    case 'refused':
      return own(refused(route.error), null);
    case 'console':
      return underPressure(exchange, forward(unplaced(services), request, pageRoute(route.target)));
    case 'forward':
      return route.class === 'cancel'
        ? cancel(services, request, route)
        : underPressure(exchange, forward(services, request, route));
    case 'local': {
      if (!isStatusPage(route.name)) {
        const answered = { ...route, name: route.name };
        const { status } = localAnswer(answered, exchange);
        return own({ kind: 'answered', status }, null);
      }
      const asked = statusPageRoute(exchange, route.name, route.target);
      return asked === null
        ? own({ kind: 'answered', status: 200 }, null)
        : forward(unplaced(services), { ...request, body: NOTHING }, asked);
    }
  }
}

/** For requests that are neither redirected nor placed by tier. */
function unplaced(services: ExplainServices): ExplainServices {
  return { ...services, exchange: withoutPlacement(services.exchange), inRedirectMode: null };
}

/** While the event loop is late, whatever would be forwarded is refused before anything else is asked. */
function underPressure({ pressure }: ExchangeServices, decision: Decision): Decision {
  return pressure.high ? { ...decision, outcome: refused(gatewayError('overloaded')) } : decision;
}

/** A decision without a node. */
function own(outcome: Outcome, role: Role | null): Decision {
  return { role, tier: null, choice: null, redirect: null, limits: null, outcome };
}

function cancel({ exchange }: ExplainServices, { origin }: Request, route: ForwardRoute): Decision {
  const id = admitCancel(route, origin.address, exchange.cancelLimits);
  if (typeof id !== 'string') return own(refused(id), route.role);
  const { known, others } = brokersToAsk(id, exchange);
  const asked = [...known, ...others];
  const nodes = asked.map(({ hostAndPort }) => hostAndPort);
  const candidates = exchange.cluster.view.brokers.map(({ node, service }) => ({
    node: node.hostAndPort,
    service,
    outstanding: node.outstanding,
    refusal: asked.includes(node) ? null : `it is of a service that gets no requests, ${service}`,
  }));
  const outcome: Outcome =
    nodes.length === 0 ? refused(gatewayError('no_ready_broker')) : { kind: 'relayed', nodes };
  return { ...own(outcome, route.role), choice: { nodes, by: 'cancel', candidates } };
}

function forward(services: ExplainServices, request: Request, route: ForwardRoute): Decision {
  const { exchange } = services;
  const { head, origin } = request;
  const { options, redirectPolicy } = exchange;
  const length = Math.max(request.body.length, head.fields.bodyLength);
  const content = WholeBody.ofBytes(isLong(length, options.bufferBodyBytes) ? NOTHING : request.body);
  const large = isLarge(route, length);
  const choice = new TargetChoice(exchange, route, forwardedHead(head, origin), { content }, large);
  const explained = choice.explain();
  const { target } = explained;
  const permit = new Permit(exchange.concurrency, route.role, origin.address, large);
  const location = (policy: RedirectPolicy | null): string | null => {
    if (target.kind === 'wait') return null;
    const to = policy?.(route.role, head.method, origin.address, target.node) ?? null;
    return to === null ? null : to + route.target;
  };
  const asConfigured = location(redirectPolicy);
  return {
    role: route.role,
    tier: tierOf(choice, services),
    choice: nodesOf(explained),
    redirect: { asConfigured, inRedirectMode: location(services.inRedirectMode) },
    limits: limitsOf(exchange, permit, explained),
    outcome: outcomeOf(exchange, permit, target, asConfigured, content.length),
  };
}

/** The order is that of `ProxiedRequest.go`: target, redirect, room. */
function outcomeOf(
  exchange: ExchangeServices,
  permit: Permit,
  target: Target,
  location: string | null,
  bytes: number,
): Outcome {
  if (target.kind === 'wait') return waits(exchange, permit, target.reason, bytes);
  if (location !== null) return { kind: 'redirected', status: 307, location };
  const admission = permit.admission(true, exchange.waitQueue);
  if (admission === 'refused') return refused(gatewayError('too_many_requests'));
  if (admission === 'waits') return waits(exchange, permit, 'overloaded', bytes);
  return { kind: 'relayed', nodes: [target.node.hostAndPort] };
}

function waits(
  { waitQueue, options }: ExchangeServices,
  { role, lane }: Permit,
  reason: UnavailableReason,
  bytes: number,
): Outcome {
  const needsCapacity = reason === 'overloaded';
  const error = gatewayError(reason);
  const longestMs = needsCapacity ? options.maxQueueMs : longestLeaderWaitMs(role, reason, options);
  if (longestMs <= 0) return refused(error);
  const bound = waitQueue.refusal({ role, flow: lane, bytes, needsCapacity });
  if (bound !== null) return refused(bound === 'closed' ? error : waitRefusal(bound));
  return { kind: 'waits', reason, status: error.status, longestMs };
}

function refused({ reason, status, message }: GatewayError): Outcome {
  return { kind: 'refused', reason, status, message };
}

function describeRoute(route: Route, role: Role | null): Omit<ExplainedRoute, 'rule'> {
  return {
    kind: route.kind,
    role,
    class: route.kind === 'forward' ? route.class : null,
    target: route.kind === 'forward' || route.kind === 'console' ? route.target : null,
    local: route.kind === 'local' ? route.name : null,
  };
}

function tierOf({ placed }: TargetChoice, { loadRulesAgeMs }: ExplainServices): ExplainedTier | null {
  if (placed === null) return null;
  const { selected, fellBack } = placed;
  return { ...selected, fellBack, loadRulesAgeMs: loadRulesAgeMs() };
}

function nodesOf({ target, candidates, by }: ExplainedChoice): ExplainedNodes {
  return {
    nodes: target.kind === 'node' ? [target.node.hostAndPort] : [],
    by,
    candidates: candidates.map(({ node, service, refusal }) => ({
      node: node.hostAndPort,
      service,
      outstanding: node.outstanding,
      refusal,
    })),
  };
}

function limitsOf(
  { concurrency, waitQueue }: ExchangeServices,
  permit: Permit,
  { maxPerNode }: ExplainedChoice,
): ExplainedLimits {
  const { role, large } = permit;
  return {
    large,
    place: permit.admission(true, waitQueue),
    running: concurrency.under(role),
    waiting: waitQueue.waiting(role),
    queued: waitQueue.queued(role),
    maxPerNode,
  };
}

function evidenceOf({ exchange, now }: ExplainServices, role: Role | null): Evidence {
  const { version, discovery, readAt, leaders } = exchange.cluster.view;
  const age = (since: number): number => Math.max(0, now() - since);
  const leader = role === null || role === 'broker' ? null : leaders[role];
  return {
    view: version,
    discovery: discovery.state,
    discoveryAgeMs: readAt === 0 ? null : age(readAt),
    leader:
      leader === null
        ? null
        : {
            node: leader.node?.hostAndPort ?? null,
            state: leader.state,
            knownBy: leader.knownBy,
            term: leader.term,
            ageMs: age(leader.since),
          },
  };
}
