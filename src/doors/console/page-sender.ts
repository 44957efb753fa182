import type { IncomingHttpHeaders } from 'node:http';
import type {} from '@fastify/reply-from';
import type { FastifyReply } from 'fastify';
import type { UpstreamNode } from '../../cluster/node.ts';
import { quietLimit, type UpstreamTimeouts } from '../../exchange/forward/time-limits.ts';
import type {
  NodeSender,
  UpstreamCall,
  UpstreamFailureKind,
  UpstreamHandler,
  UpstreamRequest,
} from '../../exchange/ports/upstream.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { blockOf, flatOf } from '../../http/header-block.ts';
import { readAnswerHead } from '../../http/response-head.ts';
import { splitTarget } from '../../routing/target-check.ts';
import { ignore } from '../last-word.ts';
import { failureKind, PAGE_TERMS, type PageAnswer, type PageStream, type PageTerms } from './page-terms.ts';

/** Most bytes of an unwanted page that are read to keep its connection, and for how long. */
const DUMPED_BYTES = 64 * 1024;
const DUMPED_MS = 1_000;

/** Once the client holds this many pieces, reading pauses until all have been returned. */
const MOST_BORROWED = 2;

export interface PageSenderOptions extends UpstreamTimeouts {
  /** Reports the gateway's own faults. */
  readonly errors: InternalErrors;
}

/** The part of the plugin's reply that asks nodes. A promise cannot resolve to the reply, which is one itself. */
export type PageReply = Pick<FastifyReply, 'from'>;

/**
 * Creates the sender that has the plugin request a page from nodes. `replied` resolves to the plugin's reply to the
 * client, and is called once there is a node to ask. The exchange decides where the page is and what to do with each
 * answer; the plugin sends nothing to the client.
 */
export function createPageSender(replied: () => Promise<PageReply>, options: PageSenderOptions): NodeSender {
  let reply: Promise<PageReply> | null = null;
  return {
    send(node, request, handler) {
      reply ??= replied();
      return new PageCall(node, request, handler, options).ask(reply);
    },
  };
}

/** One attempt to get a page. */
class PageCall implements UpstreamCall {
  readonly #node: UpstreamNode;
  readonly #request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  readonly #options: PageSenderOptions;
  readonly #gone = new AbortController();
  readonly #lease: BufferLease = { release: () => this.#returned() };
  /** Null until the head has come. */
  #stream: PageStream | null = null;
  #reading = false;
  #over = false;
  #borrowed = 0;

  constructor(
    node: UpstreamNode,
    request: UpstreamRequest,
    handler: UpstreamHandler,
    options: PageSenderOptions,
  ) {
    this.#node = node;
    this.#request = request;
    this.#handler = handler;
    this.#options = options;
  }

  ask(reply: Promise<PageReply>): this {
    this.#node.begin();
    reply.then(
      (given) => this.#guarded(() => this.#askBy(given)),
      (error: unknown) => this.#notAsked(error),
    );
    return this;
  }

  #askBy(reply: PageReply): void {
    // The client may have left in the meantime.
    if (this.#over) return;
    try {
      // The plugin takes the query from the client's request.
      reply.from(splitTarget(this.#request.target).path, {
        method: this.#request.method as 'GET',
        getUpstream: () => this.#node.origin,
        rewriteRequestHeaders: (_, { host }) =>
          ({ [PAGE_TERMS]: this.#terms(String(host)) }) as Record<string, string>,
        rewriteHeaders: () => ({}),
        retryDelay: () => null as unknown as number,
        // The plugin may report a failure and then an answer as well.
        onResponse: (_, __, answer) => this.#answered(answer as unknown as PageAnswer),
        onError: (_, { error }) => this.#fail(failureKind(error)),
      });
    } catch (error) {
      // The plugin refuses paths that would resolve against another origin.
      if ((error as { statusCode?: unknown }).statusCode !== 400) throw error;
      this.#fail('unsendable');
    }
  }

  /**
   * Ends the attempt. If reading has not begun, the page is read to its end within bounds, which keeps the
   * connection.
   */
  abort(): void {
    if (this.#over) return;
    this.#finish();
    const stream = this.#stream;
    if (stream === null) this.#gone.abort();
    else if (this.#reading) stream.destroy();
    else stream.dump({ limit: DUMPED_BYTES, signal: AbortSignal.timeout(DUMPED_MS) }).catch(ignore);
  }

  /** There is no plugin to ask by. */
  #notAsked(error: unknown): void {
    if (this.#over) this.#options.errors.report('upstream', error);
    else
      this.#guarded(() => {
        throw error;
      });
  }

  #terms(host: string): PageTerms {
    return {
      headers: [...flatOf(this.#request.headers), 'Host', host],
      gone: this.#gone.signal,
      headMs: quietLimit(this.#request, this.#options, false),
      idleMs: quietLimit(this.#request, this.#options, true),
    };
  }

  #answered({ statusCode, headers, stream }: PageAnswer): void {
    if (this.#over) {
      stream.destroy();
      return;
    }
    const head = readAnswerHead(statusCode, '', 1, blockOf(flatHeaders(headers)));
    if (head === null) {
      stream.destroy();
      this.#fail('malformed');
      return;
    }
    this.#stream = stream;
    this.#guarded(() => {
      this.#handler.onHead(head);
      if (!this.#over) this.#read(stream);
    });
  }

  #read(stream: PageStream): void {
    this.#reading = true;
    stream.on('data', (chunk: Buffer) => this.#guarded(() => this.#take(stream, chunk)));
    stream.once('error', (error) => this.#fail(failureKind(error)));
    stream.once('end', () =>
      this.#guarded(() => {
        if (this.#over) return;
        this.#finish();
        this.#handler.onEnd('');
      }),
    );
  }

  #take(stream: PageStream, chunk: Buffer): void {
    if (this.#over) return;
    this.#borrowed++;
    if (this.#borrowed >= MOST_BORROWED) stream.pause();
    this.#handler.onData(chunk, this.#lease);
    this.#handler.onRest();
  }

  #returned(): void {
    this.#borrowed--;
    if (this.#borrowed === 0 && !this.#over) this.#stream?.resume();
  }

  #fail(kind: UpstreamFailureKind): void {
    if (this.#over) return;
    this.#finish();
    this.#guarded(() => this.#handler.onFailure({ kind, answered: this.#stream !== null }));
  }

  /** An error thrown by the exchange ends the attempt and is reported to the exchange. */
  #guarded(step: () => void): void {
    contain(step, (error) => {
      if (!this.#over) this.#finish();
      this.#stream?.destroy();
      contain(
        () => this.#handler.onInternalError(error),
        (another) => this.#options.errors.report('upstream', another),
      );
    });
  }

  #finish(): void {
    this.#over = true;
    this.#node.end();
  }
}

function flatHeaders(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((single) => [name, single]),
  );
}
