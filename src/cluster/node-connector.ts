import { buildConnector } from 'undici';
import type { NodeTls } from './node.ts';

/**
 * Returns what connects undici's agents to nodes within `timeoutMs`. Certificates are verified unless `tls` turns that
 * off. The texts of `tls` are read at each connection, since their files may have changed.
 */
export function nodeConnector(tls: NodeTls | undefined, timeoutMs: number): buildConnector.connector {
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
    connect(options, callback);
  };
}

function textsOf(tls: NodeTls | undefined): readonly (string | undefined)[] {
  return [tls?.ca, tls?.cert, tls?.key];
}
