import { pino } from 'pino';
import { loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { createTracing, type Tracing } from '../../../src/tracing/tracing.ts';
import { type Harness, type HarnessOptions, startHarness } from '../gateway/gateway-harness.ts';
import { type RecordedErrors, recordErrors } from '../gateway/recorded-errors.ts';
import type { OtlpReceiver } from './otlp-receiver.ts';

export interface TracedGateway {
  readonly gateway: Harness;
  readonly tracing: Tracing;
  /** Errors of the gateway's own in making spans. */
  readonly errors: RecordedErrors;
  /** Lines of the log about exports. */
  readonly lines: Record<string, unknown>[];
  close(): Promise<void>;
}

export interface TracedOptions {
  /** Keys of `tracing` as the environment has them, without their beginning. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly harness?: HarnessOptions;
  readonly closeMs?: number;
  /** The gateway takes part in no traces. */
  readonly off?: boolean;
}

/** The section `tracing` with these keys, as the environment has them. */
export function tracingConfig(
  keys: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): Config['tracing'] {
  const own = Object.entries({ ENABLED: 'true', ...keys });
  const variables = own.map(([key, value]) => [`DRUID_GATEWAY__TRACING__${key}`, value]);
  return loadConfig({ environment: { ...environment, ...Object.fromEntries(variables) } }).tracing;
}

/** A gateway whose spans go to this receiver as soon as they have ended. */
export async function startTracedGateway(
  receiver: Pick<OtlpReceiver, 'url'>,
  { keys = {}, harness = {}, closeMs = 500, off = false }: TracedOptions = {},
): Promise<TracedGateway> {
  const errors = recordErrors();
  const lines: Record<string, unknown>[] = [];
  const config = tracingConfig({ DELAY: '10ms', OTLP__ENDPOINT: receiver.url, ...keys });
  const logger = pino(
    { base: null, timestamp: false },
    { write: (line) => void lines.push(JSON.parse(line)) },
  );
  const tracing = createTracing({ config, logger, errors });
  const { sampleRatio: ratio, followParent } = config;
  const tracer = tracing.tracer({ ratio, followParent });
  const gateway = await startHarness({ ...harness, deps: (own) => (off ? own : { ...own, tracer }) });
  return {
    gateway,
    tracing,
    errors,
    lines,
    async close() {
      await gateway.close();
      await tracing.close(closeMs);
    },
  };
}
