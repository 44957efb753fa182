import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type {} from '@fastify/reply-from';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { NodeTls, UpstreamNode } from '../../cluster/node.ts';
import { errorBody, type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import { Accounting } from '../../exchange/accounting.ts';
import { publicLocation, redirectTargetOf } from '../../exchange/forward/location-policy.ts';
import { RequestWait, type WaitOwner, type WaitServices } from '../../exchange/forward/request-wait.ts';
import { afterFailure, afterHead, type NotRelayed } from '../../exchange/forward/verdict.ts';
import { forwardedHead } from '../../exchange/forwarded-head.ts';
import type { RequestHead } from '../../exchange/ports/client.ts';
import type { RecordSink } from '../../exchange/ports/record.ts';
import type { UpstreamFailureKind } from '../../exchange/ports/upstream.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { blockOf, flatOf } from '../../http/header-block.ts';
import { relayedHead } from '../../http/response-framing.ts';
import { readAnswerHead } from '../../http/response-head.ts';
import type { Target } from '../../routing/target.ts';
import type { DoorState } from '../door-state.ts';
import { requestHead } from '../front/node-client.ts';
import { cutUnread } from '../front/unread.ts';
import { ignore } from '../last-word.ts';

export interface ConsoleOptions extends WaitServices {
  /** A page is asked for; `sink` gets its record when it is over. */
  readonly begins: () => void;
  readonly sink: RecordSink;
  /** Whether a peer may set `X-Forwarded-*`. */
  readonly trusts: (remoteAddress: string) => boolean;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  /** Time between two pieces of a page. */
  readonly idleTimeoutMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveTimeoutMs: number;
  /** For https origins; certificates are verified unless this says not to. */
  readonly tls?: NodeTls;
}

type UpstreamAnswer = {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly stream: PageStream;
};

/** A body as undici gives it. */
interface PageStream extends Readable {
  /** Reads up to so many bytes and ends it there. */
  dump(options: { readonly limit: number; readonly signal: AbortSignal }): Promise<unknown>;
}

/** What of an unwanted page is read for the sake of its connection: so many bytes, for so long. */
const DUMPED_BYTES = 64 * 1024;
const DUMPED_MS = 1_000;

/** Among the headers of a request for a page: the signal that its client has left. No header has a symbol for a name. */
export const CLIENT_GONE = Symbol('client gone');

/** One request for a page of the console: waits for the leading Coordinator as every other request does. */
export class ConsolePage implements WaitOwner {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #options: ConsoleOptions;
  readonly #head: RequestHead;
  readonly #account: Accounting;
  readonly #wait: RequestWait;
  readonly #found: () => void;
  readonly #gone = new AbortController();
  readonly #writtenBefore: number;
  #node: UpstreamNode | null = null;
  #counted: UpstreamNode | null = null;
  #path: string | null = null;
  #repeats = 0;
  /** It is answered, or its client has left: whatever comes later changes nothing. */
  #over = false;
  /** The client is to open another connection. */
  readonly #closes: boolean;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    options: ConsoleOptions,
    door: DoorState,
    found: () => void,
  ) {
    cutUnread(reply.raw, door, (error) => {
      options.errors.report('client', error, request.id);
      request.raw.socket.destroy();
    });
    this.#request = request;
    this.#reply = reply;
    this.#options = options;
    this.#found = found;
    this.#head = requestHead(request.raw, request.id, options.now());
    this.#account = new Accounting(this.#head, 'console', 'read', options.sink, options.now);
    this.#wait = new RequestWait('coordinator', options, this, {
      lane: this.#head.remoteAddress,
      bytes: 0,
    });
    this.#closes = reply.getHeader('connection') === 'close';
    this.#writtenBefore = request.raw.socket.bytesWritten;
    reply.raw.once('close', () => this.#close());
  }

  /** Where the page comes from, once `found` has been called. */
  get origin(): string {
    return this.#node?.origin ?? '';
  }

  start(): void {
    this.#guarded(() => {
      this.#options.begins();
      const target = this.choose();
      if (target.kind === 'wait') this.#wait.wait(target.reason);
      else this.go();
    });
  }

  choose(): Target {
    const leader = this.#options.cluster.view.leaders.coordinator;
    if (leader.state === 'serving') return { kind: 'node', node: leader.node };
    return { kind: 'wait', reason: leader.waitReason };
  }

  /** Pages are few and small. */
  hasRoom(): boolean {
    return true;
  }

  go(): void {
    this.#guarded(() => {
      if (this.#over) return;
      const target = this.choose();
      if (target.kind === 'wait') {
        this.#wait.wait(target.reason);
        return;
      }
      this.#node = target.node;
      if (this.#path === null) this.#found();
      else this.send(this.#path);
    });
  }

  /** Asks the node for the page. */
  send(path: string): void {
    this.#guarded(() => {
      const node = this.#node;
      if (node === null || this.#over || this.#reply.raw.destroyed) return;
      this.#path = path;
      this.#account.attempts++;
      this.#account.upstream = node.hostAndPort;
      this.#count(node);
      this.#ask(node, path);
    });
  }

  giveUp(error: GatewayError): void {
    this.#guarded(() => {
      if (this.#over) return;
      this.#account.reason = error.reason;
      this.#answer(error);
    });
  }

  /** Ends the page because something of ours threw: 500 if nothing has been sent, else the connection is cut. */
  onInternalError(error: unknown): void {
    this.#report(error);
    const { raw } = this.#reply;
    contain(() => this.#wait.leave(), this.#report);
    contain(() => this.#count(null), this.#report);
    if (raw.writableEnded) return;
    const internal = gatewayError('internal_error');
    this.#account.reason = internal.reason;
    contain(
      () => {
        if (raw.headersSent) raw.destroy();
        else this.#answer(internal);
      },
      (thrown) => {
        this.#report(thrown);
        raw.destroy();
      },
    );
  }

  readonly #report = (error: unknown): void => {
    this.#options.errors.report('request', error, this.#request.id);
  };

  /** Everything that sockets, the plugin and the wait queue call. */
  #guarded(step: () => void): void {
    contain(step, (error) => this.onInternalError(error));
  }

  #ask(node: UpstreamNode, path: string): void {
    const { headers } = forwardedHead(this.#head, {
      trusted: this.#options.trusts(this.#head.remoteAddress),
    });
    // The plugin may say that it failed and that there is an answer, or that there is one and then that it failed.
    let settled = false;
    const settle = (step: () => void): void => {
      const first = !settled && !this.#over;
      settled = true;
      if (first) this.#guarded(step);
    };
    try {
      this.#reply.from(path, {
        method: 'GET',
        getUpstream: () => node.origin,
        rewriteRequestHeaders: (_, given) => ({
          ...headerObject(flatOf(headers)),
          host: given.host,
          [CLIENT_GONE]: this.#gone.signal,
        }),
        rewriteHeaders: (given) => {
          let own: IncomingHttpHeaders = {};
          contain(
            () => {
              own = this.#publicHeaders(given);
            },
            (error) => settle(() => this.onInternalError(error)),
          );
          return own;
        },
        retryDelay: () => null as unknown as number,
        onResponse: (_, __, given) => {
          const answer = given as unknown as UpstreamAnswer;
          if (settled || this.#over) answer.stream.destroy();
          settle(() => {
            try {
              this.#answered(node, answer);
            } catch (error) {
              answer.stream.destroy();
              throw error;
            }
          });
        },
        onError: (_, { error }) => settle(() => this.#failed(error)),
      });
    } catch (error) {
      // The plugin refuses paths that it could resolve against another origin.
      if ((error as { statusCode?: unknown }).statusCode !== 400) throw error;
      this.#count(null);
      this.giveUp(gatewayError('target_malformed'));
    }
  }

  /** An answer of our own, in the place of whatever was meant to be sent. */
  #answer(error: GatewayError): void {
    const { raw } = this.#reply;
    this.#over = true;
    this.#reply.hijack();
    const body = errorBody(error, this.#request.id);
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'x-request-id': this.#request.id,
    };
    if (error.retryAfter !== undefined) headers['retry-after'] = String(error.retryAfter);
    if (this.#closes) headers.connection = 'close';
    raw.writeHead(error.status, headers);
    raw.end(body);
  }

  /** Sends the page on. */
  #relay(answer: UpstreamAnswer): void {
    const { raw } = this.#reply;
    const { stream, statusCode } = answer;
    const headers = this.#reply.getHeaders() as Record<string, string | string[]>;
    const bodiless = this.#head.method === 'HEAD' || statusCode === 204 || statusCode === 304;
    if (statusCode === 204) delete headers['content-length'];
    this.#reply.hijack();
    raw.writeHead(statusCode, headers);
    this.#over = true;
    if (bodiless) {
      raw.end();
      dump(stream);
      return;
    }
    stream.once('error', () => raw.destroy());
    raw.once('close', () => stream.destroy());
    stream.pipe(raw);
  }

  #answered(node: UpstreamNode, answer: UpstreamAnswer): void {
    if (answer.statusCode < 200 || answer.statusCode > 599) {
      answer.stream.destroy();
      this.#turn(this.#failure('malformed'));
      return;
    }
    const verdict = afterHead(
      {
        status: answer.statusCode,
        contentType: answer.headers['content-type'] ?? null,
        location: redirectTargetOf(String(answer.headers.location ?? ''), this.#head.target, this.#isNode),
      },
      { role: 'coordinator', class: 'read', replayable: true, repeats: this.#repeats },
    );
    if (verdict.kind !== 'relay') {
      dump(answer.stream);
      this.#turn(verdict);
      return;
    }
    this.#options.cluster.report(node, 'ok');
    this.#relay(answer);
  }

  #failed(error: Error): void {
    const { code, name } = (error.cause ?? error) as { code?: string; name: string };
    this.#turn(this.#failure(failureKind(code ?? name)));
  }

  #failure(kind: UpstreamFailureKind): NotRelayed {
    return afterFailure(
      { kind, answered: false },
      { role: 'coordinator', class: 'read', replayable: true, repeats: this.#repeats },
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
    this.#wait.waitAfter(view, verdict.error, verdict.outcome === 'not_leader');
  }

  #publicHeaders(given: IncomingHttpHeaders): IncomingHttpHeaders {
    const head = readAnswerHead(200, '', 1, blockOf(flatHeaders(given)));
    if (head === null) return {};
    const { headers } = relayedHead(head, {
      bodiless: true,
      httpMinor: this.#head.httpMinor,
      rewriteLocation: (location) => publicLocation(location, this.#isNode),
    });
    return headerObject(flatOf(headers));
  }

  readonly #isNode = (origin: string): boolean =>
    origin === this.#node?.origin.toLowerCase() || this.#options.cluster.view.nodes.has(origin);

  #clearHeaders(): void {
    for (const name of Object.keys(this.#reply.getHeaders())) this.#reply.removeHeader(name);
  }

  #count(node: UpstreamNode | null): void {
    this.#counted?.end();
    node?.begin();
    this.#counted = node;
  }

  #close(): void {
    this.#over = true;
    const { raw } = this.#reply;
    contain(() => this.#wait.leave(), this.#report);
    contain(() => this.#count(null), this.#report);
    contain(() => {
      if (!raw.writableFinished) this.#gone.abort();
    }, this.#report);
    contain(() => {
      if (raw.headersSent) this.#account.status = raw.statusCode;
      this.#account.parkedMs = this.#wait.waitedMs;
      // Head included.
      this.#account.bytesOut = Math.max(0, this.#request.raw.socket.bytesWritten - this.#writtenBefore);
      this.#account.onClose(raw.writableFinished);
    }, this.#report);
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

/** Of undici's parser, and of the plugin where it cannot take the status. */
const MALFORMED = /^(?:UND_ERR_HEADERS_OVERFLOW|HTTPParserError|HPE_.*|FST_REPLY_FROM_BAD_GATEWAY)$/;

/** What kind of failure an error of undici or the system is, by its code, or its name where it has none. */
function failureKind(code: string): UpstreamFailureKind {
  if (CONNECT_FAILED.has(code)) return 'connect';
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return 'no_answer';
  if (code === 'UND_ERR_BODY_TIMEOUT') return 'stalled';
  return MALFORMED.test(code) ? 'malformed' : 'reset';
}

/** Reads the rest of an answer that nobody wants, within bounds, so that its connection is free again. */
function dump(stream: PageStream): void {
  stream.dump({ limit: DUMPED_BYTES, signal: AbortSignal.timeout(DUMPED_MS) }).catch(ignore);
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
