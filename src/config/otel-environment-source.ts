import type { Environment } from './environment-source.ts';
import { problem } from './problems.ts';
import { type Path, schemaAt } from './schema-walk.ts';
import { expand, fromText } from './shorthand.ts';
import { type ConfigSource, type Setting, sourceOf } from './source.ts';

const OTLP = 'OTEL_EXPORTER_OTLP';

/** A way to read a variable. Returns undefined, after `refuse`, if its text cannot be used. */
type Read = (text: string, refuse: (what: string) => void) => unknown;

interface Variable {
  /** The first of these that is set counts. */
  readonly names: readonly string[];
  readonly path: Path;
  readonly read: Read;
}

const asItIs: Read = (text) => text;
/** Milliseconds. */
const milliseconds: Read = (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text);

const VARIABLES: readonly Variable[] = [
  { names: ['OTEL_SERVICE_NAME'], path: ['tracing', 'serviceName'], read: asItIs },
  { names: [`${OTLP}_TRACES_ENDPOINT`], path: ['tracing', 'otlp', 'endpoint'], read: asItIs },
  { names: forTraces('TIMEOUT'), path: ['tracing', 'otlp', 'timeout'], read: milliseconds },
  { names: forTraces('COMPRESSION'), path: ['tracing', 'otlp', 'compression'], read: asItIs },
  { names: forTraces('CERTIFICATE'), path: ['tracing', 'otlp', 'tls', 'caFile'], read: asItIs },
  { names: forTraces('CLIENT_CERTIFICATE'), path: ['tracing', 'otlp', 'tls', 'certFile'], read: asItIs },
  { names: forTraces('CLIENT_KEY'), path: ['tracing', 'otlp', 'tls', 'keyFile'], read: asItIs },
  { names: ['OTEL_BSP_MAX_QUEUE_SIZE'], path: ['tracing', 'maxQueue'], read: asItIs },
  { names: ['OTEL_BSP_SCHEDULE_DELAY'], path: ['tracing', 'delay'], read: milliseconds },
];

/** Both forms: the one for traces alone goes before that for all signals. */
function forTraces(what: string): string[] {
  return [`${OTLP}_TRACES_${what}`, `${OTLP}_${what}`];
}

/** Samplers by name: whether the caller's flag is followed, and the share of traces if it does not say. */
const SAMPLERS: Readonly<Record<string, { readonly followParent: boolean; readonly ratio?: number }>> = {
  always_on: { followParent: false, ratio: 1 },
  always_off: { followParent: false, ratio: 0 },
  traceidratio: { followParent: false },
  parentbased_always_on: { followParent: true, ratio: 1 },
  parentbased_always_off: { followParent: true, ratio: 0 },
  parentbased_traceidratio: { followParent: true },
};

/** Variables that may hold a credential. */
const SECRET = forTraces('HEADERS');

/**
 * Reads the variables of OpenTelemetry's specification that the section `tracing` stands for. To be used only where
 * tracing is on: a platform may set them for all its processes. An empty variable counts as not set. `onSecretVariable`
 * is called with the name of each that may hold a credential.
 */
export function otelEnvironmentSource(
  environment: Environment,
  cwd: string,
  onSecretVariable: (name: string) => void,
): ConfigSource {
  const settings: Setting[] = [];
  const problems: string[] = [];

  function get(names: readonly string[]): { readonly name: string; readonly text: string } | null {
    for (const name of names) {
      const text = environment[name];
      if (text !== undefined && text.trim() !== '') return { name, text: text.trim() };
    }
    return null;
  }

  function set(path: Path, name: string, value: unknown): void {
    settings.push({ path, value, where: whereIs(name) });
  }

  function refuse(name: string, what: string): void {
    problems.push(problem(whereIs(name), '', what));
  }

  for (const { names, path, read } of VARIABLES) {
    const found = get(names);
    if (found === null) continue;
    const node = schemaAt(path);
    const value = read(found.text, (what) => refuse(found.name, what));
    set(path, found.name, node === undefined || typeof value !== 'string' ? value : fromText(value, node));
  }
  const base = get([`${OTLP}_ENDPOINT`]);
  if (base !== null && get([`${OTLP}_TRACES_ENDPOINT`]) === null) {
    set(['tracing', 'otlp', 'endpoint'], base.name, `${base.text.replace(/\/+$/, '')}/v1/traces`);
  }
  // Those for traces alone add to the others, and win over them.
  const headers = SECRET.toReversed().flatMap((name) => {
    const found = get([name]);
    if (found === null) return [];
    onSecretVariable(name);
    const pairs = pairsOf(found.text);
    if (pairs !== null) return pairs.map(([key, value]) => `${key}: ${value}`);
    refuse(name, 'is no list of NAME=VALUE separated by commas');
    return [];
  });
  const [some = ''] = SECRET.filter((name) => get([name]) !== null);
  if (headers.length > 0) set(['tracing', 'otlp', 'headers'], some, headers);
  readResource();
  readSampler();
  const protocol = get(forTraces('PROTOCOL'));
  if (protocol !== null && protocol.text !== 'http/protobuf') {
    refuse(protocol.name, 'names a protocol other than http/protobuf, the only one there is');
  }
  if (get(['OTEL_SDK_DISABLED'])?.text.toLowerCase() === 'true') {
    set(['tracing', 'enabled'], 'OTEL_SDK_DISABLED', false);
  }
  return sourceOf(settings, (tree) => expand(tree, cwd), problems);

  function readResource(): void {
    const found = get(['OTEL_RESOURCE_ATTRIBUTES']);
    if (found === null) return;
    const pairs = pairsOf(found.text);
    if (pairs === null) {
      refuse(found.name, 'is no list of KEY=VALUE separated by commas');
      return;
    }
    const [service] = pairs.filter(([key]) => key === 'service.name');
    if (service !== undefined && get(['OTEL_SERVICE_NAME']) === null) {
      set(['tracing', 'serviceName'], found.name, service[1]);
    }
    const others = pairs.filter(([key]) => key !== 'service.name').map(([key, value]) => `${key}=${value}`);
    if (others.length > 0) set(['tracing', 'resource'], found.name, others);
  }

  function readSampler(): void {
    const found = get(['OTEL_TRACES_SAMPLER']);
    if (found === null) return;
    const sampler = SAMPLERS[found.text.toLowerCase()];
    if (sampler === undefined) {
      refuse(found.name, `names a sampler other than ${Object.keys(SAMPLERS).join(', ')}`);
      return;
    }
    set(['tracing', 'followParent'], found.name, sampler.followParent);
    const given = get(['OTEL_TRACES_SAMPLER_ARG']);
    if (sampler.ratio !== undefined) set(['tracing', 'sampleRatio'], found.name, sampler.ratio);
    else if (given !== null) {
      set(
        ['tracing', 'sampleRatio'],
        given.name,
        /^[\d.]+$/.test(given.text) ? Number(given.text) : given.text,
      );
    }
  }
}

function whereIs(name: string): string {
  return `environment variable ${name}`;
}

/** Reads `a=b,c=d` with percent-encoded values (W3C Baggage, without properties); null if it is none. */
function pairsOf(text: string): (readonly [string, string])[] | null {
  const pairs: [string, string][] = [];
  for (const member of text.split(',')) {
    if (member.trim() === '') continue;
    const equals = member.indexOf('=');
    const key = member.slice(0, equals).trim();
    if (equals === -1 || key === '') return null;
    try {
      pairs.push([key, decodeURIComponent(member.slice(equals + 1).trim())]);
    } catch {
      return null;
    }
  }
  return pairs;
}
