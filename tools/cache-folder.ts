import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where fetched programs are kept: `DRUID_GATEWAY_CACHE`, or `druid-gateway` in the user's cache folder. */
export function cacheFolder(): string {
  const { DRUID_GATEWAY_CACHE, XDG_CACHE_HOME } = process.env;
  return DRUID_GATEWAY_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'druid-gateway');
}
