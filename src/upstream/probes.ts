import type { UpstreamNode } from '../cluster/node.ts';
import { createNodes } from '../cluster/nodes.ts';
import {
  KEEP_ALIVE_MS,
  MAX_BODY_BYTES,
  type ProbeAnswer,
  type ProbeClient,
  type ProbeClientOptions,
  unanswered,
} from '../cluster/probe.ts';
import type { UpstreamCall, UpstreamFailure, UpstreamHandler } from '../exchange/ports/upstream.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import type { BufferLease } from '../http/buffer-lease.ts';
import { blockOf, flatOf } from '../http/header-block.ts';
import type { AnswerHead } from '../http/response-head.ts';
import { createUpstreams } from './upstreams.ts';

const MAX_HEAD_BYTES = 16 * 1024;

/**
 * Creates probes over the same client as requests, with connections of their own. A probe by `node:http` costs some ten
 * times the processor time, and with a thousand Brokers that was half of a core.
 */
export function createUpstreamProbes(errors: InternalErrors): (options: ProbeClientOptions) => ProbeClient {
  return ({ timeoutMs, maxBodyBytes = MAX_BODY_BYTES, tls, addressOf, onTlsFault }) => {
    const nodes = createNodes();
    /** The last error of each origin that is being asked. */
    const codes = new Map<string, string>();
    const silent = unanswered(onTlsFault);
    const upstreams = createUpstreams({
      connectTimeoutMs: timeoutMs,
      responseTimeoutMs: timeoutMs,
      idleTimeoutMs: timeoutMs,
      keepAliveTimeoutMs: KEEP_ALIVE_MS,
      maxHeaderBytes: MAX_HEAD_BYTES,
      errors,
      onSocketError: (origin, code) => void codes.set(origin, code),
      ...(tls === undefined ? {} : { tls }),
    });

    function nodeAt(origin: string): UpstreamNode {
      const node = nodes.at(origin);
      if (addressOf !== undefined) node.reachAt(addressOf(origin));
      return node;
    }

    return {
      probe(origin, path, headers = {}) {
        return new Promise((resolve) => {
          const question = new Question({
            timeoutMs,
            maxBodyBytes,
            errors,
            answered(answer) {
              silent.forget(origin);
              resolve(answer);
            },
            failed() {
              const code = codes.get(origin) ?? '';
              codes.delete(origin);
              resolve(silent.answer(origin, code));
            },
          });
          codes.delete(origin);
          question.ask((fresh) =>
            upstreams.send(
              nodeAt(origin),
              {
                method: 'GET',
                target: path,
                headers: blockOf(Object.entries(headers).flat()),
                body: null,
                bodyLength: 0,
                fresh,
                uncounted: true,
              },
              question,
            ),
          );
        });
      },
      retain(known) {
        upstreams.retain(known);
        nodes.retain(known);
      },
      close: () => upstreams.close(),
    };
  };
}

interface QuestionOptions {
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
  readonly errors: InternalErrors;
  readonly answered: (answer: ProbeAnswer) => void;
  readonly failed: () => void;
}

/** One probe. It ends once: with an answer, with a failure, or with its time. */
class Question implements UpstreamHandler {
  readonly #options: QuestionOptions;
  readonly #timer: NodeJS.Timeout;
  #send: (fresh: boolean) => UpstreamCall = () => {
    throw new Error('not asked yet');
  };
  #call: UpstreamCall | null = null;
  #head: AnswerHead | null = null;
  #body = '';
  #resent = false;
  #over = false;

  constructor(options: QuestionOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => this.#fail(), options.timeoutMs).unref();
  }

  /** `send` sends it, on a new connection if told so. */
  ask(send: (fresh: boolean) => UpstreamCall): void {
    this.#send = send;
    this.#begin(false);
  }

  onHead(head: AnswerHead): void {
    this.#head = head;
  }

  onData(chunk: Buffer, lease: BufferLease): void {
    const { maxBodyBytes } = this.#options;
    this.#body += chunk.toString('latin1', 0, maxBodyBytes - this.#body.length);
    const enough = this.#body.length >= maxBodyBytes;
    lease.release();
    // With it goes the connection of a node that sends too much.
    if (enough) this.#answer();
  }

  onRest(): void {}
  onBodySent(): void {}

  onEnd(): void {
    this.#call = null;
    this.#answer();
  }

  onFailure({ kind }: UpstreamFailure): void {
    this.#call = null;
    if (kind === 'stale' && !this.#resent) {
      this.#resent = true;
      this.#begin(true);
    } else this.#fail();
  }

  onInternalError(error: unknown): void {
    this.#call = null;
    this.#options.errors.report('probe', error);
    this.#fail();
  }

  #begin(fresh: boolean): void {
    try {
      const call = this.#send(fresh);
      if (this.#over) call.abort();
      else this.#call = call;
    } catch (error) {
      this.onInternalError(error);
    }
  }

  #answer(): void {
    const head = this.#head;
    if (head === null || !this.#ends()) return;
    const flat = flatOf(head.kept);
    const headers: Record<string, string> = {};
    for (let i = 0; i + 1 < flat.length; i += 2) headers[(flat[i] ?? '').toLowerCase()] = flat[i + 1] ?? '';
    this.#options.answered({ kind: 'answer', status: head.status, body: this.#body, headers });
  }

  #fail(): void {
    if (this.#ends()) this.#options.failed();
  }

  /** Gives back what it holds; false if it was over already. */
  #ends(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    const call = this.#call;
    this.#call = null;
    call?.abort();
    return true;
  }
}
