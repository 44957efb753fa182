import { type GatewayError, gatewayError } from '../errors/gateway-error.ts';
import type { HeaderBlock } from '../http/header-block.ts';
import type { ForwardRoute, Route } from '../routing/route.ts';
import { Accounting } from './accounting.ts';
import { withBasePath } from './base-path.ts';
import { clientOrigin } from './client-origin.ts';
import { admitCancel, Cancel } from './druid/cancel-request.ts';
import { tellConsole } from './druid/console-config.ts';
import { answerFromDruid } from './druid/status-pages.ts';
import { ProxiedRequest, type UpstreamRequestTemplate } from './forward/proxied-request.ts';
import { redirectionOf } from './forward/redirection.ts';
import { RequestBody } from './forward/request-body.ts';
import { forwardedHead } from './forwarded-head.ts';
import { intake, pageRoute, withoutPlacement } from './intake.ts';
import { AnsweredRequest } from './internal-error.ts';
import { AmendedClient } from './own-answers/amended-client.ts';
import { answer, answerError } from './own-answers/answer.ts';
import { isStatusPage, localAnswer } from './own-answers/local.ts';
import { redirect } from './own-answers/redirect.ts';
import { describeView, VIEW_HEADER } from './own-answers/view-header.ts';
import { PageBody } from './page-body.ts';
import type { ClientSide } from './ports/client.ts';
import type { ClientOrigin } from './ports/client-origin.ts';
import type { ExchangeRecord, RecordRole } from './ports/record.ts';
import type { ExchangeServices } from './ports/services.ts';
import type { RequestTrace } from './ports/tracing.ts';
import type { NodeSender } from './ports/upstream.ts';
import { TracedSender } from './traced-sender.ts';

export interface Exchange {
  /** Answers the request. Returns false, and does nothing, if the request is for the web console. */
  handle(client: ClientSide): boolean;
  /** Relays a page of the web console. `sender` asks the leading Coordinator for it. */
  relayPage(client: ClientSide, sender: NodeSender): void;
}

/** Longest body of a request for a console page, in bytes. */
const MOST_PAGE_BODY = 64 * 1024;

/** Creates the exchange. It takes each request from its head to its last byte and makes exactly one record of it. */
export function createExchange(services: ExchangeServices): Exchange {
  const { options, errors, now, pressure, retryBudget, tracer = null } = services;

  /** A record is only observed. If the sink throws, the request and its connection go on. */
  function sink(record: ExchangeRecord): void {
    try {
      services.sink(record);
    } catch (error) {
      errors.report('request', error, record.id);
    }
  }

  /** `origin` is null if an error came before it was known. */
  function account(
    { head }: ClientSide,
    origin: ClientOrigin | null,
    role: RecordRole,
    routeClass: Accounting['class'],
    trace: RequestTrace | null,
  ): Accounting {
    const address = origin?.address ?? head.remoteAddress;
    const own = trace === null ? sink : tracedSink(trace);
    const begun = new Accounting(head, address, role, routeClass, own, now);
    begun.trace = trace?.ids ?? null;
    begun.namesUser = options.namesUser === true;
    return begun;
  }

  function tracedSink({ spans }: RequestTrace): typeof sink {
    return (record) => {
      sink(record);
      spans?.end(record);
    };
  }

  function refuse(
    client: ClientSide,
    origin: ClientOrigin,
    trace: RequestTrace | null,
    error: GatewayError,
  ): void {
    const refused = account(client, origin, 'refused', 'local', trace);
    new AnsweredRequest(errors, client, refused).answer(() => answerError(client, refused, error));
  }

  /** Fails a request that nothing has taken over yet. */
  function fail(client: ClientSide, trace: RequestTrace | null, error: unknown): void {
    const failed = account(client, null, 'refused', 'local', trace);
    new AnsweredRequest(errors, client, failed).onInternalError(error);
  }

  /** The services of one request: each attempt of one that is recorded has a span. */
  function traced(services: ExchangeServices, trace: RequestTrace | null): ExchangeServices {
    const spans = trace?.spans ?? null;
    if (spans === null) return services;
    return { ...services, spans, upstreams: new TracedSender(services.upstreams, spans) };
  }

  function sentHead({ head }: ClientSide, origin: ClientOrigin, trace: RequestTrace | null): HeaderBlock {
    const headers = forwardedHead(head, origin);
    return trace === null ? headers : trace.sent(headers);
  }

  function viewing(client: ClientSide, origin: ClientOrigin): ClientSide {
    if (!client.head.fields.asksView || !options.showsView(origin.address)) return client;
    return new AmendedClient(
      client,
      (given) => `${given}${VIEW_HEADER}: ${describeView(services.cluster.view, Date.now())}\r\n`,
    );
  }

  function sharing(client: ClientSide): ClientSide {
    const { cors } = options;
    return cors === null ? client : new AmendedClient(client, (given) => cors.amend(given, client.head));
  }

  /** Gives the places in the answer the base path, which nodes do not know. */
  function placed(client: ClientSide, { host }: ClientOrigin): ClientSide {
    const { basePath } = options;
    if (basePath === '') return client;
    const { target } = client.head;
    return new AmendedClient(client, (given) => withBasePath(given, basePath, { target, host }));
  }

  /** Redirects the request or sends it on; only then is `template` made. */
  function forward(
    services: ExchangeServices,
    client: ClientSide,
    origin: ClientOrigin,
    trace: RequestTrace | null,
    role: RecordRole,
    route: ForwardRoute,
    template: () => UpstreamRequestTemplate,
  ): void {
    if (pressure.high) {
      refuse(client, origin, trace, gatewayError('overloaded'));
      return;
    }
    retryBudget.deposit(client.head.receivedAt);
    const to = redirectionOf(services, client.head, route, origin.address);
    if (to !== null) {
      const record = account(client, origin, role, route.class, trace);
      new AnsweredRequest(errors, client, record).answer(() => redirect(client, record, to, route.target));
      return;
    }
    const sent = template();
    const record = account(client, origin, role, route.class, trace);
    new ProxiedRequest(traced(services, trace), client, record, sent).start();
  }

  /**
   * Forwards a console page as a read of the Coordinator, asked by `sender`. Pages are never redirected: browsers
   * stay on the gateway.
   */
  function forwardPage(
    plain: ClientSide,
    origin: ClientOrigin,
    trace: RequestTrace | null,
    asking: NodeSender,
  ): void {
    const { method, fields } = plain.head;
    const client = placed(viewing(sharing(plain), origin), origin);
    const route = services.route(method, plain.head.target);
    // The configuration has changed since `handle` left the request to the console.
    if (route.kind !== 'console') {
      refuse(client, origin, trace, route.kind === 'refused' ? route.error : gatewayError('path_unknown'));
      return;
    }
    const { target } = route;
    const { basePath } = options;
    const sender = basePath === '' ? asking : tellConsole(asking, target, basePath);
    const refuseBody = (): void =>
      refuse(client, origin, trace, gatewayError('body_too_large', { closes: true }));
    const ask = (): void => {
      const page = pageRoute(target);
      forward(
        { ...withoutPlacement(services), upstreams: sender },
        client,
        origin,
        trace,
        'console',
        page,
        () => ({
          route: page,
          method: 'GET',
          headers: sentHead(plain, origin, trace),
          body: new RequestBody(client.body, 0, 0, services.bodies),
          collector: null,
          onBehalfOf: origin.address,
          neverHeld: true,
        }),
      );
    };
    if (fields.bodyLength === 0) ask();
    else if (fields.bodyLength > MOST_PAGE_BODY) refuseBody();
    else {
      const record = account(client, origin, 'console', 'read', trace);
      const owner = { onWhole: ask, onTooLong: refuseBody };
      new PageBody(errors, client, record, MOST_PAGE_BODY, owner).read();
    }
  }

  function cancel(
    client: ClientSide,
    route: ForwardRoute,
    headers: HeaderBlock,
    origin: ClientOrigin,
    trace: RequestTrace | null,
  ): void {
    const id = admitCancel(route, origin.address, services.cancelLimits);
    if (typeof id !== 'string') refuse(client, origin, trace, id);
    else {
      retryBudget.deposit(client.head.receivedAt);
      const begun = account(client, origin, route.role, route.class, trace);
      new Cancel(traced(services, trace), client, begun, route, headers, id, origin.address).begin();
    }
  }

  function dispatch(
    plain: ClientSide,
    origin: ClientOrigin,
    route: Exclude<Route, { kind: 'console' | 'refused' }>,
    trace: RequestTrace | null,
  ): void {
    const { head } = plain;
    const client = viewing(plain, origin);
    const onBehalfOf = origin.address;
    if (route.kind === 'forward') {
      if (route.class === 'cancel') {
        cancel(client, route, sentHead(plain, origin, trace), origin, trace);
        return;
      }
      forward(services, client, origin, trace, route.role, route, () => ({
        route,
        // Druid answers HEAD with 405 everywhere (AllowHttpMethodsResourceFilter).
        method: head.method === 'HEAD' ? 'GET' : head.method,
        headers: sentHead(plain, origin, trace),
        body: new RequestBody(client.body, head.fields.bodyLength, options.bufferBodyBytes, services.bodies),
        collector: null,
        onBehalfOf,
      }));
      return;
    }
    const local = account(client, origin, 'local', 'local', trace);
    if (isStatusPage(route.name)) {
      answerFromDruid(traced(services, trace), client, local, {
        headers: sentHead(plain, origin, trace),
        onBehalfOf,
        name: route.name,
        target: route.target,
      });
      return;
    }
    const answered = { ...route, name: route.name };
    new AnsweredRequest(errors, client, local).answer(() =>
      answer(client, local, localAnswer(answered, services)),
    );
  }

  return {
    handle(plain) {
      let trace: RequestTrace | null = null;
      try {
        const origin = clientOrigin(plain.head, options);
        const route = intake(plain.head, origin, services);
        if (route.kind === 'console') return false;
        if (tracer !== null) trace = tracer.begin(plain.head);
        const client = placed(sharing(plain), origin);
        if (route.kind === 'refused') refuse(client, origin, trace, route.error);
        else dispatch(client, origin, route, trace);
      } catch (error) {
        fail(plain, trace, error);
      }
      return true;
    },
    relayPage(client, sender) {
      const trace = tracer === null ? null : tracer.begin(client.head);
      try {
        forwardPage(client, clientOrigin(client.head, options), trace, sender);
      } catch (error) {
        fail(client, trace, error);
      }
    },
  };
}
