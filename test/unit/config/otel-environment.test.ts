import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadConfig, loadWithOrigins } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { redact } from '../../../src/config/redact.ts';
import type { Config } from '../../../src/config/schema.ts';
import { showSettings } from '../../../src/config/shown-settings.ts';

type Environment = Readonly<Record<string, string>>;

const ON = { DRUID_GATEWAY__TRACING__ENABLED: 'true' };

const load = (environment: Environment): Config['tracing'] =>
  loadConfig({ environment: { ...ON, ...environment } }).tracing;

function problems(environment: Environment): readonly string[] {
  try {
    load(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("OpenTelemetry's variables", () => {
  test.each<[Environment, object]>([
    [{ OTEL_SERVICE_NAME: 'edge' }, { serviceName: 'edge' }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, { otlp: { endpoint: 'http://c:4318/v1/traces' } }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c/x/' }, { otlp: { endpoint: 'http://c/x/v1/traces' } }],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/x' }, { otlp: { endpoint: 'http://c/x' } }],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t/x' },
      { otlp: { endpoint: 'http://t/x' } },
    ],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=1,b=x%20y' }, { otlp: { headers: ['a: 1', 'b: x y'] } }],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: 'a=1', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'a=2' },
      { otlp: { headers: ['a: 1', 'a: 2'] } },
    ],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '2500' }, { otlp: { timeout: 2_500 } }],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }, { otlp: { compression: 'gzip' } }],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem' }, { otlp: { tls: { caFile: '/ca.pem', verify: true } } }],
    [
      { OTEL_RESOURCE_ATTRIBUTES: 'a=1,service.name=mine,b=2' },
      { serviceName: 'mine', resource: ['a=1', 'b=2'] },
    ],
    [
      { OTEL_RESOURCE_ATTRIBUTES: 'service.name=mine', OTEL_SERVICE_NAME: 'other' },
      { serviceName: 'other', resource: [] },
    ],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, { sampleRatio: 0, followParent: false }],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_on' }, { sampleRatio: 1, followParent: true }],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      { sampleRatio: 0.25, followParent: true },
    ],
    [
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '.5' },
      { sampleRatio: 0.5, followParent: false },
    ],
    [
      { OTEL_BSP_MAX_QUEUE_SIZE: '7', OTEL_BSP_SCHEDULE_DELAY: '100' },
      { maxQueue: 7, delay: 100 },
    ],
    [{ OTEL_SDK_DISABLED: 'TRUE', OTEL_SERVICE_NAME: 'edge' }, { enabled: false }],
    [{ OTEL_SDK_DISABLED: 'false' }, { enabled: true }],
    [{ OTEL_SERVICE_NAME: ' ', OTEL_TRACES_SAMPLER: '' }, { serviceName: 'druid-gateway' }],
  ])('%o', (environment, expected) => {
    expect(load(environment)).toMatchObject(expected);
  });

  test("give way to the gateway's own keys, and say where they are from", () => {
    const environment = {
      ...ON,
      OTEL_SERVICE_NAME: 'otel',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      DRUID_GATEWAY__TRACING__SERVICE_NAME: 'own',
    };
    const { config, settings } = loadWithOrigins({ environment });
    expect(config.tracing.serviceName).toBe('own');
    expect(settings.find(({ key }) => key === 'tracing.followParent')).toEqual({
      key: 'tracing.followParent',
      value: 'false',
      origin: 'environment variable OTEL_TRACES_SAMPLER',
    });
  });

  test('mean nothing while tracing is off, even wrong ones', () => {
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'nowhere', OTEL_TRACES_SAMPLER: 'mine' };
    expect(loadConfig({ environment })).toEqual(loadConfig({}));
  });

  test.each<[Environment, string]>([
    [
      { OTEL_TRACES_SAMPLER: 'jaeger_remote' },
      'environment variable OTEL_TRACES_SAMPLER: names a sampler other',
    ],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '7' }, 'OTEL_TRACES_SAMPLER_ARG'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL: names a protocol other than'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'hush' }, 'OTEL_EXPORTER_OTLP_HEADERS: is no list of NAME=VALUE'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a b=hush' }, 'OTEL_EXPORTER_OTLP_HEADERS'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://u:hush@c' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' }, 'OTEL_EXPORTER_OTLP_TIMEOUT'],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'a=%zz' }, 'OTEL_RESOURCE_ATTRIBUTES: is no list of KEY=VALUE'],
  ])('that cannot be used are problems where tracing is on: %o', (environment, expected) => {
    const found = problems(environment);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]).toContain(expected);
    expect(found[0]).not.toContain('hush');
  });

  test('that may hold credentials are kept from workers, and shown nowhere', () => {
    const named: string[] = [];
    const environment = { ...ON, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hush', OTEL_SERVICE_NAME: 'a' };
    const { config, settings } = loadWithOrigins({
      environment,
      onSecretVariable: (name) => void named.push(name),
    });
    expect(named).toContain('OTEL_EXPORTER_OTLP_HEADERS');
    expect(config.tracing.otlp.headers).toEqual(['authorization: hush']);
    const shown = [redact(config), settings, showSettings(config, () => '')];
    expect(JSON.stringify(shown)).not.toContain('hush');
  });

  test('can hold anything without another error than that of a configuration', () => {
    const names = ['HEADERS', 'ENDPOINT', 'TIMEOUT', 'PROTOCOL', 'CERTIFICATE'].map(
      (name) => `OTEL_EXPORTER_OTLP_${name}`,
    );
    const any = fc.dictionary(
      fc.constantFrom(...names, 'OTEL_RESOURCE_ATTRIBUTES', 'OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG'),
      fc.oneof(fc.string(), fc.constantFrom('a=b', ',', '=', '%', 'traceidratio', 'http://', '1')),
    );
    fc.assert(fc.property(any, (environment) => void problems(environment)));
  });
});
