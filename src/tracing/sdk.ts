import { createRequire } from 'node:module';
import type * as Api from '@opentelemetry/api';
import type * as Exporter from '@opentelemetry/exporter-trace-otlp-proto';
import type * as Resources from '@opentelemetry/resources';
import type * as Trace from '@opentelemetry/sdk-trace';

/** OpenTelemetry's packages, which are optional peers: only who wants spans installs them. */
export interface Sdk {
  readonly api: typeof Api;
  readonly exporter: typeof Exporter;
  readonly resources: typeof Resources;
  readonly trace: typeof Trace;
}

const PACKAGES = {
  api: '@opentelemetry/api',
  exporter: '@opentelemetry/exporter-trace-otlp-proto',
  resources: '@opentelemetry/resources',
  trace: '@opentelemetry/sdk-trace',
} as const satisfies Readonly<Record<keyof Sdk, string>>;

/** The part of `require` that is used. */
export type Require = Pick<NodeJS.Require, 'resolve'> & ((name: string) => unknown);

const ours: Require = createRequire(import.meta.url);

/** Throws an Error of one sentence, with what to install, if a package is missing. Loads nothing. */
export function expectSdk(require: Require = ours): void {
  const missing = Object.values(PACKAGES).filter((name) => !isThere(name, require));
  if (missing.length === 0) return;
  const [are, them] = missing.length === 1 ? ['is', 'it'] : ['are', 'them'];
  throw new Error(
    `tracing.enabled: ${missing.join(', ')} ${are} not installed; ` +
      `install ${them} beside druid-gateway (npm install ${missing.join(' ')}), or set tracing.enabled to false`,
  );
}

/**
 * Loads the packages, at once: the rest of the start need not wait. Throws an Error of one sentence if one is missing or
 * cannot be loaded.
 */
export function loadSdk(require: Require = ours): Sdk {
  expectSdk(require);
  const load = (name: string): unknown => {
    try {
      return require(name);
    } catch (error) {
      throw new Error(`tracing.enabled: ${name} cannot be loaded (${firstLine(error)})`);
    }
  };
  const loaded = Object.entries(PACKAGES).map(([key, name]) => [key, load(name)]);
  return Object.fromEntries(loaded) as unknown as Sdk;
}

function isThere(name: string, require: Require): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

function firstLine(error: unknown): string {
  const [line = ''] = String(error instanceof Error ? error.message : error).split('\n');
  return line;
}
