import { type GatewayError, gatewayError } from '../errors/gateway-error.ts';
import { cancelledId } from '../routing/query-context.ts';
import type { Route } from '../routing/route.ts';
import { Accounting } from './accounting.ts';
import { Cancel } from './druid/cancel.ts';
import { answerFromDruid } from './druid/status-pages.ts';
import { ProxiedRequest, type UpstreamRequestTemplate } from './forward/proxied-request.ts';
import { RequestBody } from './forward/request-body.ts';
import { forwardedHead, requestFault } from './forwarded-head.ts';
import { AnsweredRequest } from './internal-error.ts';
import { answer, answerError } from './own-answers/answer.ts';
import { isStatusPage, localAnswer } from './own-answers/local.ts';
import { describeView, ViewingClient } from './own-answers/view-header.ts';
import type { ClientSide } from './ports/client.ts';
import type { ExchangeRecord, RecordRole } from './ports/record.ts';
import type { ExchangeServices } from './ports/services.ts';
import type { NodeSender } from './ports/upstream.ts';

export interface Exchange {
  /** Answers the request; false, with nothing touched, when it belongs to the web console. */
  handle(client: ClientSide): boolean;
  /** Relays a page of the web console, which `sender` asks the leading Coordinator for. */
  relayPage(client: ClientSide, sender: NodeSender): void;
}

/** What happens to one request, from its head to its last byte: each yields exactly one record. */
export function createExchange(services: ExchangeServices): Exchange {
  const { options, errors, now, pressure, retryBudget } = services;

  /** A record is only looked at: where that throws, the request and its connection go on. */
  function sink(record: ExchangeRecord): void {
    try {
      services.sink(record);
    } catch (error) {
      errors.report('request', error, record.id);
    }
  }

  function account(client: ClientSide, role: RecordRole, routeClass: Accounting['class']): Accounting {
    return new Accounting(client.head, role, routeClass, sink, now);
  }

  function refuse(client: ClientSide, error: GatewayError): void {
    const refused = account(client, 'refused', 'local');
    new AnsweredRequest(errors, client, refused).answer(() => answerError(client, refused, error));
  }

  /** Nobody has taken the request yet. */
  function fail(client: ClientSide, error: unknown): void {
    const failed = account(client, 'refused', 'local');
    new AnsweredRequest(errors, client, failed).onInternalError(error);
  }

  function viewing(client: ClientSide): ClientSide {
    return new ViewingClient(client, () => describeView(services.cluster.view, Date.now()));
  }

  function forward(
    services: ExchangeServices,
    client: ClientSide,
    role: RecordRole,
    template: UpstreamRequestTemplate,
  ): void {
    if (pressure.high) {
      refuse(client, gatewayError('overloaded'));
      return;
    }
    retryBudget.deposit(client.head.receivedAt);
    new ProxiedRequest(services, client, account(client, role, template.route.class), template).start();
  }

  /** A page is a read of the Coordinator in all but who asks for it. No page is redirected: browsers stay here. */
  function forwardPage(plain: ClientSide, sender: NodeSender): void {
    const { target, remoteAddress } = plain.head;
    const { headers, onBehalfOf, asksView } = forwardedHead(plain.head, {
      trusted: options.trusts(remoteAddress),
    });
    const client = asksView ? viewing(plain) : plain;
    forward({ ...services, upstreams: sender, redirectPolicy: null, tierSelector: null }, client, 'console', {
      route: { kind: 'forward', role: 'coordinator', class: 'read', target },
      method: 'GET',
      headers,
      body: new RequestBody(client.body, 0, 0, services.bodies),
      collector: null,
      onBehalfOf,
      neverHeld: true,
    });
  }

  function dispatch(plain: ClientSide, route: Exclude<Route, { kind: 'console' | 'refused' }>): void {
    const { head } = plain;
    const { headers, bodyLength, onBehalfOf, asksView } = forwardedHead(head, {
      trusted: options.trusts(head.remoteAddress),
    });
    const client = asksView ? viewing(plain) : plain;
    if (route.kind === 'forward') {
      if (route.class === 'cancel') {
        retryBudget.deposit(head.receivedAt);
        const cancel = account(client, route.role, route.class);
        new Cancel(services, client, cancel, route, headers, cancelledId(route.target)).begin();
        return;
      }
      forward(services, client, route.role, {
        route,
        // Druid answers HEAD with 405 everywhere (AllowHttpMethodsResourceFilter).
        method: head.method === 'HEAD' ? 'GET' : head.method,
        headers,
        body: new RequestBody(client.body, bodyLength, options.bufferBodyBytes, services.bodies),
        collector: null,
        onBehalfOf,
      });
      return;
    }
    const local = account(client, 'local', 'local');
    if (isStatusPage(route.name)) {
      answerFromDruid(services, client, local, {
        headers,
        onBehalfOf,
        name: route.name,
        target: route.target,
      });
      return;
    }
    const { name, allow } = route;
    new AnsweredRequest(errors, client, local).answer(() =>
      answer(client, local, localAnswer(name, services.cluster.view, allow)),
    );
  }

  function take(client: ClientSide): boolean {
    const fault = requestFault(client.head);
    if (fault !== null) {
      refuse(client, gatewayError('request_malformed', { message: fault, closes: true }));
      return true;
    }
    const route = services.route(client.head.method, client.head.target);
    if (route.kind === 'console') return false;
    if (route.kind === 'refused') refuse(client, route.error);
    else dispatch(client, route);
    return true;
  }

  return {
    handle(client) {
      try {
        return take(client);
      } catch (error) {
        fail(client, error);
        return true;
      }
    },
    relayPage(client, sender) {
      try {
        forwardPage(client, sender);
      } catch (error) {
        fail(client, error);
      }
    },
  };
}
