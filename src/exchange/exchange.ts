import { cancelledId } from '../routing/query-context.ts';
import type { Route } from '../routing/route.ts';
import { Accounting } from './accounting.ts';
import { type ClientOrigin, clientOrigin } from './client-origin.ts';
import { isPreflight } from './cors.ts';
import { CROSS_SITE, isRefusedCrossSite } from './cross-site.ts';
import { Cancel } from './druid/cancel.ts';
import { answerFromDruid } from './druid/status-pages.ts';
import type { GatewayError } from './errors.ts';
import { ProxiedRequest } from './forward/proxied-request.ts';
import { RequestBody } from './forward/request-body.ts';
import { waitError } from './forward/wait-error.ts';
import { forwardedHead, requestFault } from './forwarded-head.ts';
import { AnsweredRequest } from './internal-error.ts';
import { AmendedClient } from './own-answers/amended-client.ts';
import { answer, answerError } from './own-answers/answer.ts';
import { isStatusPage, localAnswer } from './own-answers/local.ts';
import { describeView, VIEW_HEADER } from './own-answers/view-header.ts';
import type { ClientSide } from './ports/client.ts';
import type { RecordRole } from './ports/record.ts';
import type { ExchangeServices } from './ports/services.ts';

export interface Exchange {
  /** Answers the request; false, with nothing touched, when it belongs to the web console. */
  handle(client: ClientSide): boolean;
}

/** What happens to one request, from its head to its last byte: each yields exactly one record. */
export function createExchange(services: ExchangeServices): Exchange {
  const { options, sink, errors, now, pressure, retryBudget } = services;

  /** `origin`: null where something threw before it was known. */
  function account(
    { head }: ClientSide,
    origin: ClientOrigin | null,
    role: RecordRole,
    routeClass: Accounting['class'],
  ): Accounting {
    return new Accounting(head, origin?.address ?? head.remoteAddress, role, routeClass, sink, now);
  }

  function refuse(client: ClientSide, origin: ClientOrigin, error: GatewayError): void {
    const refused = account(client, origin, 'refused', 'local');
    new AnsweredRequest(errors, client, refused).answer(() => answerError(client, refused, error));
  }

  /** Nobody has taken the request yet. */
  function fail(client: ClientSide, error: unknown): void {
    const failed = account(client, null, 'refused', 'local');
    new AnsweredRequest(errors, client, failed).onInternalError(error);
  }

  function dispatch(
    plain: ClientSide,
    origin: ClientOrigin,
    route: Exclude<Route, { kind: 'console' | 'refused' }>,
  ): void {
    const { head } = plain;
    const headers = forwardedHead(head, origin);
    const onBehalfOf = origin.address;
    const client = head.fields.asksView
      ? new AmendedClient(
          plain,
          (given) => `${given}${VIEW_HEADER}: ${describeView(services.cluster.view, Date.now())}\r\n`,
        )
      : plain;
    if (route.kind === 'forward') {
      if (pressure.high && route.class !== 'cancel') {
        refuse(client, origin, waitError('overloaded'));
        return;
      }
      retryBudget.deposit(head.receivedAt);
      if (route.class === 'cancel') {
        const cancel = account(client, origin, route.role, route.class);
        new Cancel(services, client, cancel, route, headers, cancelledId(route.target)).begin();
        return;
      }
      const request = new ProxiedRequest(services, client, account(client, origin, route.role, route.class), {
        route,
        // Druid answers HEAD with 405 everywhere (AllowHttpMethodsResourceFilter).
        method: head.method === 'HEAD' ? 'GET' : head.method,
        headers,
        body: new RequestBody(client.body, head.fields.bodyLength, options.bufferBodyBytes),
        collector: null,
        onBehalfOf,
      });
      request.start();
      return;
    }
    const local = account(client, origin, 'local', 'local');
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

  function take(plain: ClientSide): boolean {
    const { head } = plain;
    const { cors } = options;
    const origin = clientOrigin(head, options);
    const fault = requestFault(head);
    const client = cors === null ? plain : new AmendedClient(plain, (given) => cors.amend(given, head));
    if (fault !== null) {
      refuse(client, origin, { status: 400, reason: 'request_malformed', message: fault, closes: true });
      return true;
    }
    const route = services.route(head.method, head.target, cors === null && isPreflight(head));
    if (route.kind === 'console') return false;
    if (route.kind === 'refused') refuse(client, origin, route);
    else if (isRefusedCrossSite(head, origin, route, cors)) refuse(client, origin, CROSS_SITE);
    else dispatch(client, origin, route);
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
  };
}
