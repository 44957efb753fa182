import type { Dispatcher } from 'undici';
import { Pool } from 'undici';
import type { NodeTls, UpstreamNode } from '../cluster/node.ts';
import type {
  UpstreamCall,
  UpstreamFailure,
  UpstreamFailureKind,
  UpstreamHandler,
  UpstreamRequest,
  Upstreams,
} from './upstream-side.ts';

export interface UpstreamOptions {
  /** Connections per node; requests beyond wait for one, so it is for the exchange to send no more. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** Time to the first byte of the answer; 0 waits for ever. */
  readonly responseTimeoutMs: number;
  /** Time between two bytes of the answer's body; 0 waits for ever. */
  readonly idleTimeoutMs: number;
  /** How long an idle connection is kept: below Jetty's idle time (`druid.server.http.maxIdleTime`, 5 min). */
  readonly keepAliveTimeoutMs: number;
  /** Largest head of an answer, in bytes: `X-Druid-Response-Context` alone may take 7 KiB. */
  readonly maxHeaderBytes: number;
  /** CA, client certificate and the like for https origins. Certificates are verified unless this says not to. */
  readonly tls?: NodeTls;
}

interface NodePools {
  readonly shared: Pool;
  /** Its connections carry one request each. */
  readonly fresh: Pool;
}

/** Upstreams over undici's `dispatch`, with one pair of pools per origin. */
export function createUpstreams(options: UpstreamOptions): Upstreams {
  const pools = new Map<string, NodePools>();

  function createPools(origin: string): NodePools {
    const common: Pool.Options = {
      connections: options.connections,
      headersTimeout: options.responseTimeoutMs,
      bodyTimeout: options.idleTimeoutMs,
      keepAliveTimeout: options.keepAliveTimeoutMs,
      maxHeaderSize: options.maxHeaderBytes,
      allowH2: false,
      connect: { rejectUnauthorized: true, ...options.tls, timeout: options.connectTimeoutMs },
    };
    const created = {
      shared: new Pool(origin, common),
      fresh: new Pool(origin, { ...common, pipelining: 0 }),
    };
    pools.set(origin, created);
    return created;
  }

  return {
    send(node, request, handler) {
      const { shared, fresh } = pools.get(node.origin) ?? createPools(node.origin);
      const call = new Call(node, handler);
      const headers = request.headers as string[];
      const streamed = request.bodyLength !== null && !Buffer.isBuffer(request.body) && request.body !== null;
      (request.fresh ? fresh : shared).dispatch(
        {
          path: request.target,
          method: request.method,
          headers: streamed ? [...headers, 'content-length', String(request.bodyLength)] : headers,
          body: request.body,
          ...patience(request, options),
        },
        call,
      );
      return call;
    },

    retain(known) {
      for (const [origin, { shared, fresh }] of pools) {
        if (known.has(origin)) continue;
        pools.delete(origin);
        // A graceful close waits for the requests under way and for those still in the pool's queue.
        void shared.close();
        void fresh.close();
      }
    },

    async close() {
      const all = [...pools.values()];
      pools.clear();
      await Promise.all(all.flatMap(({ shared, fresh }) => [shared.destroy(), fresh.destroy()]));
    },
  };
}

function patience(
  { patienceMs, idlePatienceMs }: UpstreamRequest,
  { idleTimeoutMs }: UpstreamOptions,
): { headersTimeout?: number; bodyTimeout?: number } {
  if (patienceMs === undefined) return idlePatienceMs === undefined ? {} : { bodyTimeout: idlePatienceMs };
  const idle = idleTimeoutMs === 0 ? 0 : Math.max(idleTimeoutMs, patienceMs);
  return { headersTimeout: patienceMs, bodyTimeout: idlePatienceMs ?? idle };
}

/** One attempt: undici's events on one side, the exchange's on the other, and `outstanding` counted exactly once. */
class Call implements Dispatcher.DispatchHandler, UpstreamCall {
  readonly #node: UpstreamNode;
  readonly #handler: UpstreamHandler;
  #controller: Dispatcher.DispatchController | null = null;
  #answered = false;
  #over = false;

  constructor(node: UpstreamNode, handler: UpstreamHandler) {
    this.#node = node;
    this.#handler = handler;
    node.outstanding++;
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(): void {
    if (!this.#settle()) return;
    this.#controller?.abort(new Error('aborted'));
  }

  #settle(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#node.outstanding--;
    return true;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while it waited for a connection: nothing has been written yet, and nothing will be.
    if (this.#over) controller.abort(new Error('aborted'));
  }

  onBodySent(chunk: Buffer): void {
    if (!this.#over) this.#handler.onBodySent(chunk.byteLength);
  }

  onResponseStarted(): void {
    this.#answered = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _: unknown,
    reason?: string,
  ): void {
    if (this.#over || status < 200) return;
    this.#handler.onHead(status, reason ?? '', latin1Strings(controller.rawHeaders));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over && !this.#handler.onData(chunk)) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#settle()) this.#handler.onEnd(latin1Strings(controller.rawTrailers));
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error & { code?: string }): void {
    if (this.#settle()) this.#handler.onFailure(this.#failure(error.code ?? error.name));
  }

  #failure(code: string): UpstreamFailure {
    return { kind: upstreamFailureKind(code, this.#controller !== null), answered: this.#answered };
  }
}

/** What kind of failure an error of undici or the system is, by its code, or its name where it has none. */
export function upstreamFailureKind(code: string, connected: boolean): UpstreamFailureKind {
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return 'refused';
  if (!connected) return 'connect';
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return 'no_answer';
  if (code === 'UND_ERR_BODY_TIMEOUT') return 'stalled';
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'HTTPParserError') return 'malformed';
  return 'reset';
}

function latin1Strings(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  const strings = new Array<string>(raw.length);
  for (let i = 0; i < raw.length; i++) {
    const item = raw[i];
    strings[i] = typeof item === 'string' ? item : (item?.toString('latin1') ?? '');
  }
  return strings;
}
