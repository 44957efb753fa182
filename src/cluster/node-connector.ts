import { buildConnector } from 'undici';
import { parseOrigin } from '../net/origin.ts';
import type { AddressOf, NodeTls } from './node.ts';

/**
 * Returns what connects undici's agents to nodes within `timeoutMs`. Certificates are verified unless `tls` turns that
 * off. The texts of `tls` are read at each connection, since their files may have changed, and so is a node's address.
 */
export function nodeConnector(
  tls: NodeTls | undefined,
  timeoutMs: number,
  addressOf: AddressOf = () => null,
): buildConnector.connector {
  let texts = textsOf(tls);
  let connect = build();

  function build(): buildConnector.connector {
    return buildConnector({ allowH2: false, rejectUnauthorized: true, ...tls, timeout: timeoutMs });
  }

  return (options, callback) => {
    const now = textsOf(tls);
    if (now.some((text, i) => text !== texts[i])) {
      texts = now;
      connect = build();
    }
    const { protocol, hostname, host = hostname } = options;
    const origin = parseOrigin(`${protocol}//${host}`);
    // undici checks the name in `host`.
    connect({ ...options, hostname: (origin && addressOf(origin)) ?? hostname }, callback);
  };
}

function textsOf(tls: NodeTls | undefined): readonly (string | undefined)[] {
  return [tls?.ca, tls?.cert, tls?.key];
}
