import type { Config } from '../config/schema.ts';
import { ROOT } from '../config/schema-walk.ts';
import type { GatewayStatus } from './facts.ts';

/**
 * Reads the body of `GET /status`; null for what is none. The other end of the line may be anything, so only the parts
 * that are judged are taken, each of its type.
 */
export function parseGatewayStatus(body: unknown): GatewayStatus | null {
  if (!isObject(body) || !isObject(body.leaders) || !Array.isArray(body.brokers)) return null;
  const { version, leaders, brokers, discovery, config } = body;
  const { coordinator, overlord } = leaders;
  return {
    version: text(version) ?? 'unknown',
    leaders: { coordinator: leaderOf(coordinator), overlord: leaderOf(overlord) },
    brokers: brokers
      .filter(isObject)
      .map(({ node, ready }) => ({ node: text(node) ?? '', ready: ready === true })),
    discovery: { state: isObject(discovery) ? (text(discovery.state) ?? 'unknown') : 'unknown' },
    config: isConfig(config) ? config : null,
  };
}

function leaderOf(value: unknown): GatewayStatus['leaders']['coordinator'] {
  if (!isObject(value)) return { node: null, state: 'unknown' };
  return { node: text(value.node), state: text(value.state) ?? 'unknown' };
}

/** Whether all sections are there: an older or newer gateway may have others. */
function isConfig(value: unknown): value is Config {
  return isObject(value) && Object.keys(ROOT.properties ?? {}).every((section) => section in value);
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value.length <= 300 ? value : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
