import { gatewayError } from '../../errors/gateway-error.ts';
import { type HeaderBlock, without } from '../../http/header-block.ts';
import type { AnswerHead } from '../../http/response-head.ts';
import type { ForwardRoute } from '../../routing/route.ts';
import type { Accounting } from '../accounting.ts';
import type { ResponseCollector } from '../forward/answer/collect.ts';
import { ProxiedRequest } from '../forward/proxied-request.ts';
import { RequestBody } from '../forward/request-body.ts';
import { withoutPlacement } from '../intake.ts';
import { AnsweredRequest } from '../internal-error.ts';
import { answer, answerError } from '../own-answers/answer.ts';
import { brokersBody, type StatusPageName } from '../own-answers/local.ts';
import type { ClientSide } from '../ports/client.ts';
import type { ExchangeServices } from '../ports/services.ts';

/** Longest body collected, in bytes. `/status/properties` of a large cluster has some tens of kilobytes. */
const LONGEST_TAKEN = 4 * 1024 * 1024;
const BROKER_STATE_READ = '/druid/broker/v1/loadstatus';
const MANAGEMENT_PROXY = 'druid.router.managementProxy.enabled';

/** Request headers that could make Druid's answer encoded, partial or conditional. */
const UNWANTED: ReadonlySet<string> = new Set([
  'accept-encoding',
  'if-none-match',
  'if-modified-since',
  'range',
  'content-type',
  'content-encoding',
]);

export interface StatusPage {
  /** The caller's headers as they go upstream. */
  readonly headers: HeaderBlock;
  readonly onBehalfOf: string;
  readonly name: StatusPageName;
  readonly target: string;
}

/** Returns the request that a status page needs an answer to; null if the view alone has the answer. */
export function statusPageRoute(
  exchange: Pick<ExchangeServices, 'cluster' | 'chooseTarget' | 'random' | 'options'>,
  name: StatusPageName,
  target: string,
): ForwardRoute | null {
  const { view } = exchange.cluster;
  if (name === 'router-brokers' && view.complete && view.brokers.length === 0) return null;
  const query = target.indexOf('?');
  const path =
    name === 'status' ? '/status' : name === 'status-properties' ? '/status/properties' : BROKER_STATE_READ;
  const route: ForwardRoute = {
    kind: 'forward',
    role: 'broker',
    class: 'read',
    target: query === -1 || name === 'router-brokers' ? path : path + target.slice(query),
  };
  const toBroker =
    name === 'router-brokers' ||
    exchange.chooseTarget(route, view, exchange.random, new Set(), exchange.options).kind === 'node';
  return toBroker ? route : { ...route, role: 'coordinator' };
}

/**
 * Answers a status page by asking Druid with the caller's own credentials. A caller who may not read the state gets
 * Druid's 401 or 403 from the gateway too.
 */
export function answerFromDruid(
  exchange: ExchangeServices,
  client: ClientSide,
  account: Accounting,
  { headers, onBehalfOf, name, target }: StatusPage,
): void {
  const { view } = exchange.cluster;
  const route = statusPageRoute(exchange, name, target);
  if (route === null) {
    new AnsweredRequest(exchange.errors, client, account).answer(() =>
      answer(client, account, { status: 200, body: brokersBody(view, exchange.options.services) }),
    );
    return;
  }
  const request = new ProxiedRequest(withoutPlacement(exchange), client, account, {
    route,
    method: 'GET',
    headers: without(headers, UNWANTED),
    body: new RequestBody(client.body, 0, 0, exchange.bodies),
    collector: name === 'status' ? null : new PageCollector(exchange, client, account, name),
    onBehalfOf,
  });
  request.start();
}

/** Collects a whole 200 and answers as the Router would. Leaves all other answers to the relay. */
class PageCollector implements ResponseCollector {
  readonly #services: ExchangeServices;
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #name: StatusPageName;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(exchange: ExchangeServices, client: ClientSide, account: Accounting, name: StatusPageName) {
    this.#services = exchange;
    this.#client = client;
    this.#account = account;
    this.#name = name;
  }

  accepts({ status, contentEncoding }: AnswerHead): boolean {
    // Discard the parts of an earlier answer, from a leader that no longer leads.
    this.#chunks.length = 0;
    this.#length = 0;
    return status === 200 && contentEncoding === null;
  }

  onData(chunk: Buffer): void {
    this.#length += chunk.byteLength;
    if (this.#length <= LONGEST_TAKEN) this.#chunks.push(Buffer.from(chunk));
  }

  onEnd(): void {
    const body = this.#name === 'router-brokers' ? this.#brokers() : this.#properties();
    if (body === null) {
      const message = 'Druid answered with something other than a JSON object of properties.';
      answerError(this.#client, this.#account, gatewayError('upstream_malformed', { message }));
      return;
    }
    answer(this.#client, this.#account, { status: 200, body });
  }

  #brokers(): string {
    return brokersBody(this.#services.cluster.view, this.#services.options.services);
  }

  /**
   * The console shows the management views only if the answer claims to be from a Router with its management proxy
   * on.
   */
  #properties(): string | null {
    if (this.#length > LONGEST_TAKEN) return null;
    const properties = parseObject(Buffer.concat(this.#chunks).toString('utf8'));
    return properties === null ? null : JSON.stringify({ ...properties, [MANAGEMENT_PROXY]: 'true' });
  }
}

function parseObject(text: string): object | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
