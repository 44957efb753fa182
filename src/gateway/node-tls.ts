import type { NodeTls } from '../cluster/node.ts';
import type { Config } from '../config/schema.ts';
import { upstreamTls } from './tls-files.ts';

/** What is trusted and shown to Druid's nodes, to be spread into options. Throws when its files cannot be used. */
export function nodeTls({ upstream }: Config): { readonly tls?: NodeTls } {
  return upstream.tls === undefined ? {} : { tls: upstreamTls(upstream.tls) };
}
