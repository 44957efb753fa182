import { describe, expect, test } from 'vitest';
import { expectSdk, loadSdk, type Require } from '../../../src/tracing/sdk.ts';

/** A place where only these packages are installed. */
function installed(...names: string[]): Require {
  const resolve = (name: string): string => {
    if (names.includes(name)) return name;
    throw Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- x`), {
      code: 'MODULE_NOT_FOUND',
    });
  };
  return Object.assign((name: string): unknown => ({ name: resolve(name) }), {
    resolve,
  }) as unknown as Require;
}

describe("OpenTelemetry's packages", () => {
  test('that are missing are named with what installs them', () => {
    expect(() => expectSdk(installed('@opentelemetry/api'))).toThrow(
      'tracing.enabled: @opentelemetry/exporter-trace-otlp-proto, @opentelemetry/resources, ' +
        '@opentelemetry/sdk-trace are not installed; install them beside druid-gateway (npm install ' +
        '@opentelemetry/exporter-trace-otlp-proto @opentelemetry/resources @opentelemetry/sdk-trace), ' +
        'or set tracing.enabled to false',
    );
  });

  test('of which one is missing are not loaded', () => {
    const names = ['api', 'exporter-trace-otlp-proto', 'resources'].map((name) => `@opentelemetry/${name}`);
    expect(() => loadSdk(installed(...names))).toThrow(
      'tracing.enabled: @opentelemetry/sdk-trace is not installed; install it beside druid-gateway ' +
        '(npm install @opentelemetry/sdk-trace), or set tracing.enabled to false',
    );
  });

  test('that cannot be loaded are named with why, in one sentence', () => {
    const broken = Object.assign(
      () => {
        throw new Error('wrong version\nRequire stack:\n- x');
      },
      { resolve: (name: string) => name },
    ) as unknown as Require;
    expect(() => loadSdk(broken)).toThrow(
      /^tracing.enabled: @opentelemetry\/api cannot be loaded \(wrong version\)$/,
    );
  });

  test('are here, for tests', () => {
    expect(Object.keys(loadSdk()).toSorted()).toEqual(['api', 'exporter', 'resources', 'trace']);
  });
});
