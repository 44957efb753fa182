import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import https from 'node:https';
import { withoutBrackets } from '../net/host-port.ts';
import type { AddressOf, NodeTls } from './node.ts';

export interface NodeAgentOptions {
  /** Most connections to one node. */
  readonly connections: number;
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAliveMs: number;
  readonly tls?: NodeTls;
  readonly addressOf?: AddressOf;
}

/** GETs small documents from nodes, over connections of its own. */
export interface NodeAgent {
  /**
   * Resolves to the answer once its head is here; its body must be read or destroyed. Rejects with the system's error if
   * there is no answer, and when `signal` aborts.
   */
  get(
    origin: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage>;
  close(): void;
}

/**
 * Creates an agent on `node:http`, which every process has loaded anyway. Certificates are verified unless `tls` turns
 * that off. The texts of `tls` are read for each request, since their files may have changed.
 */
export function createNodeAgent({ connections, keepAliveMs, tls, addressOf }: NodeAgentOptions): NodeAgent {
  const options = { keepAlive: true, maxSockets: connections, timeout: keepAliveMs };
  const plain = new HttpAgent(options);
  let encrypted: https.Agent | null = null;
  let closed = false;

  /** Without a node that takes TLS there is no need to load it. */
  function agentOfTls(): https.Agent {
    encrypted ??= new https.Agent(options);
    return encrypted;
  }

  function once(
    origin: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { protocol, hostname, port } = new URL(origin);
    const host = withoutBrackets(hostname);
    const address = addressOf?.(origin) ?? null;
    const target: RequestOptions & { readonly servername?: string } =
      address === null
        ? { host, port, path, headers: { ...headers }, signal }
        : {
            host: address,
            port,
            path,
            headers: { host: origin.slice(origin.indexOf('//') + 2), ...headers },
            servername: host,
            signal,
          };
    return new Promise((resolve, reject) => {
      const sent =
        protocol === 'https:'
          ? https.request({ ...target, agent: agentOfTls(), rejectUnauthorized: true, ...tls })
          : request({ ...target, agent: plain });
      sent.once('response', resolve);
      sent.once('upgrade', (_, socket) => {
        socket.destroy();
        reject(new Error('the node has changed the protocol'));
      });
      sent.on('error', (error: NodeJS.ErrnoException) =>
        reject(sent.reusedSocket && error.code === 'ECONNRESET' ? new Stale() : error),
      );
      sent.end();
    });
  }

  return {
    async get(origin, path, headers, signal) {
      for (;;) {
        try {
          return await once(origin, path, headers, signal);
        } catch (error) {
          // Each attempt takes one idle connection, and a new one is not stale.
          if (closed || !(error instanceof Stale)) throw error;
        }
      }
    },
    close() {
      closed = true;
      plain.destroy();
      encrypted?.destroy();
    },
  };
}

/** The node ended an idle connection just as a request went out on it. */
class Stale extends Error {}
