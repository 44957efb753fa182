import tls, { type SecureContext } from 'node:tls';

/** TLS to ZooKeeper (`secureClientPort`). */
export interface ZooKeeperTls {
  /** PEM of the trusted authorities; by default those that Node trusts. */
  readonly ca?: string | Buffer;
  /** PEM of the client's certificate and its key, for servers with `ssl.clientAuth=need`. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the server's certificate must have; by default the host being connected to. */
  readonly servername?: string;
  /** False accepts any certificate. Default true. */
  readonly rejectUnauthorized?: boolean;
}

export interface PreparedTls {
  /** Of the texts as they are now; for one connection. */
  readonly secureContext: SecureContext;
  readonly servername: string | undefined;
  readonly rejectUnauthorized: boolean;
}

/**
 * Prepares TLS. The texts may change later. Throws if one is unusable: an error at the start is better than a loop of
 * failures.
 */
export function prepareTls(tls: ZooKeeperTls): PreparedTls {
  const { servername, rejectUnauthorized = true } = tls;
  contextOf(tls);
  return {
    get secureContext() {
      return contextOf(tls);
    },
    servername,
    rejectUnauthorized,
  };
}

function contextOf({ ca, cert, key }: ZooKeeperTls): SecureContext {
  try {
    return tls.createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable PEM';
    throw new Error(`the TLS certificate, key or CA for ZooKeeper cannot be used (${code})`);
  }
}
