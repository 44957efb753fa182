import type { IncomingHttpHeaders } from 'node:http';
import type {} from '@fastify/reply-from';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UpstreamNode } from '../cluster/node.ts';
import { Accounting } from '../exchange/accounting.ts';
import { readAnswerHead } from '../exchange/answer-head.ts';
import { relayedHead } from '../exchange/answer-headers.ts';
import { afterFailure, afterHead, type NotRelayed } from '../exchange/attempts.ts';
import type { RequestHead } from '../exchange/client-side.ts';
import type { Target } from '../exchange/deps.ts';
import { errorBody, type GatewayError } from '../exchange/errors.ts';
import { blockOf, flatOf } from '../exchange/header-block.ts';
import { splitLocation } from '../exchange/redirect.ts';
import { forwardedHead } from '../exchange/request-headers.ts';
import { Standby, type StandbyActions } from '../exchange/standby.ts';
import type { UpstreamFailureKind } from '../exchange/upstream-side.ts';
import type { ConsoleOptions } from './console.ts';
import { requestHead } from './node-client.ts';

type UpstreamAnswer = {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly stream: NodeJS.ReadableStream;
};

/** One request for a page of the console: waits for the leading Coordinator as every other request does. */
export class ConsolePage implements StandbyActions {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #options: ConsoleOptions;
  readonly #head: RequestHead;
  readonly #account: Accounting;
  readonly #standby: Standby;
  readonly #found: () => void;
  readonly #writtenBefore: number;
  #node: UpstreamNode | null = null;
  #counted: UpstreamNode | null = null;
  #path: string | null = null;
  #repeats = 0;

  constructor(request: FastifyRequest, reply: FastifyReply, options: ConsoleOptions, found: () => void) {
    this.#request = request;
    this.#reply = reply;
    this.#options = options;
    this.#found = found;
    this.#head = requestHead(request.raw, request.id, options.now());
    this.#account = new Accounting(this.#head, 'console', 'read', options.sink, options.now);
    this.#standby = new Standby('coordinator', options, this.#account, this, {
      lane: this.#head.remoteAddress,
      bytes: 0,
    });
    this.#writtenBefore = request.raw.socket.bytesWritten;
    reply.raw.once('close', () => this.#close());
  }

  /** Where the page comes from, once `found` has been called. */
  get origin(): string {
    return this.#node?.origin ?? '';
  }

  start(): void {
    this.#options.begins();
    const target = this.choose();
    if (target.kind === 'wait') this.#standby.wait(target.reason);
    else this.go();
  }

  choose(): Target {
    const leader = this.#options.cluster.view.leaders.coordinator;
    if (leader.state === 'serving' && leader.node !== null) return { kind: 'node', node: leader.node };
    return { kind: 'wait', reason: leader.waitReason ?? 'no_leader' };
  }

  /** Pages are few and small. */
  hasRoom(): boolean {
    return true;
  }

  go(): void {
    const target = this.choose();
    if (target.kind === 'wait') {
      this.#standby.wait(target.reason);
      return;
    }
    this.#node = target.node;
    if (this.#path === null) this.#found();
    else this.send(this.#path);
  }

  /** Asks the node for the page. */
  send(path: string): void {
    const node = this.#node;
    if (node === null || this.#reply.raw.destroyed) return;
    this.#path = path;
    this.#account.attempts++;
    this.#account.upstream = node.hostAndPort;
    this.#count(node);
    const { headers } = forwardedHead(this.#head, {
      trusted: this.#options.trusts(this.#head.remoteAddress),
    });
    this.#reply.from(path, {
      method: 'GET',
      getUpstream: () => node.origin,
      rewriteRequestHeaders: (_, given) => ({ ...headerObject(flatOf(headers)), host: given.host }),
      rewriteHeaders: (given) => this.#publicHeaders(given),
      retryDelay: () => null as unknown as number,
      onResponse: (_, __, answer) => this.#answered(node, answer as unknown as UpstreamAnswer),
      onError: (_, { error }) => this.#failed(error),
    });
  }

  giveUp(error: GatewayError): void {
    const reply = this.#reply;
    this.#account.reason = error.reason;
    this.#clearHeaders();
    reply
      .code(error.status)
      .header('content-type', 'application/json')
      .header('x-request-id', this.#request.id);
    if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter));
    void reply.send(errorBody(error, this.#request.id));
  }

  onInternalError(error: unknown): void {
    this.#failed(error as Error);
  }

  #answered(node: UpstreamNode, answer: UpstreamAnswer): void {
    const split = splitLocation(String(answer.headers.location ?? ''));
    const known = split !== null && this.#isNode(split.origin);
    const verdict = afterHead(
      {
        status: answer.statusCode,
        contentType: answer.headers['content-type'] ?? null,
        location: split === null ? null : { known, sameTarget: split.target === this.#head.target },
      },
      { role: 'coordinator', class: 'read', replayable: true, repeats: this.#repeats },
    );
    if (verdict.kind !== 'relay') {
      // Read to its end, so that the connection is free again.
      answer.stream.resume();
      this.#turn(verdict);
      return;
    }
    this.#options.cluster.report(node, 'ok');
    void this.#reply.send(answer.stream);
  }

  #failed(error: Error): void {
    const { code, name } = (error.cause ?? error) as { code?: string; name: string };
    const kind = failureKind(code ?? name);
    this.#turn(
      afterFailure(
        { kind, answered: false },
        { role: 'coordinator', class: 'read', replayable: true, repeats: this.#repeats },
      ),
    );
  }

  #turn(verdict: NotRelayed): void {
    const { cluster } = this.#options;
    const { view } = cluster;
    this.#count(null);
    if (this.#node !== null && verdict.outcome !== null) cluster.report(this.#node, verdict.outcome);
    if (this.#reply.raw.destroyed) return;
    if (verdict.kind === 'fail') {
      this.giveUp(verdict.error);
      return;
    }
    if (verdict.counts) this.#repeats++;
    this.#clearHeaders();
    this.#standby.waitAfter(view, verdict.error, verdict.outcome === 'not_leader');
  }

  #publicHeaders(given: IncomingHttpHeaders): IncomingHttpHeaders {
    const head = readAnswerHead(200, '', 1, blockOf(flatHeaders(given)));
    if (head === null) return {};
    const { headers } = relayedHead(head, {
      bodiless: true,
      httpMinor: this.#head.httpMinor,
      rewriteLocation: (location) => {
        const split = splitLocation(location);
        return split !== null && this.#isNode(split.origin) ? split.target : location;
      },
    });
    return headerObject(flatOf(headers));
  }

  #isNode(origin: string): boolean {
    return origin === this.#node?.origin.toLowerCase() || this.#options.cluster.view.nodes.has(origin);
  }

  #clearHeaders(): void {
    for (const name of Object.keys(this.#reply.getHeaders())) this.#reply.removeHeader(name);
  }

  #count(node: UpstreamNode | null): void {
    if (this.#counted !== null) this.#counted.outstanding--;
    if (node !== null) node.outstanding++;
    this.#counted = node;
  }

  #close(): void {
    this.#standby.leave();
    this.#count(null);
    const { raw } = this.#reply;
    if (raw.headersSent) this.#account.status = raw.statusCode;
    // Head included: the page itself is streamed by the proxy plugin.
    this.#account.bytesOut = Math.max(0, this.#request.raw.socket.bytesWritten - this.#writtenBefore);
    this.#account.onClose(raw.writableFinished);
  }
}

const CONNECT_FAILED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** What kind of failure an error of undici or the system is, by its code, or its name where it has none. */
function failureKind(code: string): UpstreamFailureKind {
  if (CONNECT_FAILED.has(code)) return 'connect';
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return 'no_answer';
  if (code === 'UND_ERR_BODY_TIMEOUT') return 'stalled';
  return code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'HTTPParserError' ? 'malformed' : 'reset';
}

function headerObject(flat: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = (flat[i] ?? '').toLowerCase();
    const value = flat[i + 1] ?? '';
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

function flatHeaders(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((single) => [name, single]),
  );
}
