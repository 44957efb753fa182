import type { NodeTls } from '../cluster/node.ts';
import type { Config } from '../config/schema.ts';
import { upstreamTls } from './tls-files.ts';

/** TLS options for Druid's nodes, to spread into other options. Throws if a file is unreadable. */
export function nodeTls({ upstream }: Config): { readonly tls?: NodeTls } {
  return upstream.tls === undefined ? {} : { tls: upstreamTls(upstream.tls) };
}
