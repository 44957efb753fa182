import type { UpstreamNode } from '../../cluster/node.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { NO_LEASE } from '../../http/buffer-lease.ts';
import { type HeaderBlock, without } from '../../http/header-block.ts';
import type { AnswerHead } from '../../http/response-head.ts';
import { splitTarget } from '../../routing/target-check.ts';
import type {
  NodeSender,
  UpstreamCall,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from '../ports/upstream.ts';

/** The script in which the web console finds its settings (`window.consoleConfig`). */
const CONSOLE_CONFIG = '/console-config.js';

/** Request headers that could make the answer encoded, partial or conditional. */
const UNWANTED: ReadonlySet<string> = new Set([
  'accept-encoding',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
]);

/** Answer headers that tell of the script as the node has it. */
const OF_NODE: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-length',
  'content-md5',
  'digest',
  'etag',
  'last-modified',
  'repr-digest',
]);

/**
 * Returns a sender that tells the web console the base path. Where it asks for the console's settings, it adds two of
 * them behind the node's own: `baseURL`, which the console puts before the paths of all its requests, and
 * `localStorageNamespace`, which keeps apart what the consoles of several clusters at one host remember in a browser
 * (web-console/src/entry.tsx). Any other page is sent as it is.
 */
export function tellConsole(sender: NodeSender, target: string, basePath: string): NodeSender {
  if (splitTarget(target).path !== CONSOLE_CONFIG) return sender;
  const settings = settingsOf(basePath);
  return {
    send(node: UpstreamNode, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
      const plain = { ...request, headers: without(request.headers, UNWANTED) };
      return sender.send(node, plain, new Completing(handler, settings));
    },
  };
}

/** A namespace that an operator has chosen stays; another base URL than this one would not lead to here. */
function settingsOf(basePath: string): Buffer {
  const text = JSON.stringify(basePath);
  return Buffer.from(
    `\n;(function (config) {\n` +
      `  config.baseURL = ${text};\n` +
      `  config.localStorageNamespace = config.localStorageNamespace || ${text};\n` +
      `})((window.consoleConfig = window.consoleConfig || {}));\n`,
  );
}

/** Adds text to the end of an answer that is whole and not encoded. */
class Completing implements UpstreamHandler {
  readonly #handler: UpstreamHandler;
  readonly #text: Buffer;
  #completes = false;

  constructor(handler: UpstreamHandler, text: Buffer) {
    this.#handler = handler;
    this.#text = text;
  }

  onInterim(head: AnswerHead): void {
    this.#handler.onInterim?.(head);
  }

  onHead(head: AnswerHead): void {
    this.#completes = head.status === 200 && head.contentEncoding === null;
    this.#handler.onHead(this.#completes ? longer(head, this.#text.byteLength) : head);
  }

  onData(chunk: Buffer, lease: BufferLease): void {
    this.#handler.onData(chunk, lease);
  }

  onRest(): void {
    this.#handler.onRest();
  }

  onEnd(trailers: HeaderBlock): void {
    if (this.#completes) this.#handler.onData(this.#text, NO_LEASE);
    this.#handler.onEnd(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#handler.onFailure(failure);
  }

  onBodySent(bytes: number): void {
    this.#handler.onBodySent(bytes);
  }

  onInternalError(error: unknown): void {
    this.#handler.onInternalError(error);
  }
}

/** The head of an answer that is longer by so many bytes. */
function longer(head: AnswerHead, bytes: number): AnswerHead {
  const kept = without(head.kept, OF_NODE);
  if (head.length < 0) return { ...head, kept };
  const length = head.length + bytes;
  return { ...head, length, kept: `${kept}Content-Length: ${length}\r\n` };
}
