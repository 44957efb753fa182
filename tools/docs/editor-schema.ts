import { DURATION, SIZE } from '../../src/config/schema-types.ts';
import { childOf, ROOT, type SchemaNode } from '../../src/config/schema-walk.ts';
import { formatDuration, formatSize } from '../../src/config/units.ts';
import { LONGEST_TIMER_MS } from '../../src/time/timer.ts';
import { ADDRESS_PATTERN, durationPattern, PATTERNS, sizePattern } from './patterns.ts';
import { written } from './written.ts';

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** Where a key stands: in a list nothing is laid over anything else, so that a key without a value counts there. */
interface Place {
  /** The key must be given. */
  readonly needed: boolean;
  readonly inList: boolean;
}

/**
 * The JSON Schema (draft 7) of a YAML file, for editors: what may be written, where `ConfigSchema` is what that comes
 * to. It is for one file by itself, and says nothing of keys that need or exclude each other.
 */
export function editorSchema(): JsonSchema {
  const definitions: Record<string, JsonSchema> = {};
  const body = new Writer(definitions).schema(ROOT, { needed: false, inList: false });
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $comment: 'Made by npm run docs:generate; do not edit.',
    title: 'druid-gateway',
    ...body,
    definitions,
  };
}

class Writer {
  readonly #definitions: Record<string, JsonSchema>;

  constructor(definitions: Record<string, JsonSchema>) {
    this.#definitions = definitions;
  }

  schema(node: SchemaNode, place: Place): JsonSchema {
    return { ...described(node), ...this.#values(node, place) };
  }

  #values(node: SchemaNode, place: Place): JsonSchema {
    const types = orNull(node, place);
    if (node.type === 'object') return this.#section(node, place, types);
    if (node.type === 'array') return this.#list(node, types);
    switch (node.shorthand) {
      case 'duration':
      case 'size':
        return { type: types('integer', 'string'), allOf: [this.#numberWithUnit(node)] };
      case 'workers':
        return { ...bounds(node), type: types('integer', 'string'), pattern: '^auto$', ...refusal(node) };
    }
    if (node.enum !== undefined) {
      const type = types('string');
      return { type, enum: type.includes('null') ? [...node.enum, null] : node.enum };
    }
    if (node.format !== undefined) {
      return { type: types('string'), pattern: PATTERNS[node.format], ...refusal(node) };
    }
    return { type: types(node.type ?? 'string'), ...bounds(node) };
  }

  #section(node: SchemaNode, place: Place, types: Types): JsonSchema {
    const entries = Object.entries(node.properties ?? {});
    const needed = entries.filter(([key]) => isNeeded(node, key)).map(([key]) => key);
    const properties = entries.map(([key, child]) => [
      key,
      this.schema(child, { needed: needed.includes(key), inList: place.inList }),
    ]);
    const section = {
      properties: Object.fromEntries(properties),
      ...(needed.length === 0 ? {} : { required: needed }),
      additionalProperties: false,
    };
    switch (node.shorthand) {
      case 'address':
        return { type: types('object', 'string'), pattern: ADDRESS_PATTERN, ...refusal(node), ...section };
      case 'broker':
      case 'srv': {
        const { url, name } = node.properties ?? {};
        const format = (url ?? name)?.format;
        const pattern = format === undefined ? undefined : PATTERNS[format];
        return { type: types('object', 'string'), pattern, ...refusal(node), ...section };
      }
      case 'strategy':
        return { anyOf: [{ enum: node.properties?.type?.enum }, { type: types('object'), ...section }] };
      default:
        return { type: types('object'), ...section };
    }
  }

  #list(node: SchemaNode, types: Types): JsonSchema {
    const items = this.schema(node.items ?? {}, { needed: true, inList: true });
    const list = { items, ...(node.uniqueItems === true ? { uniqueItems: true } : {}) };
    if (node.shorthand !== 'tiers') return { type: types('array'), ...list };
    const service = node.items?.properties?.service ?? {};
    return {
      type: types('array', 'object'),
      ...list,
      // Names that are numbers would lose their order.
      propertyNames: { pattern: String.raw`^(?!\d+$)[\s\S]` },
      additionalProperties: this.schema(service, { needed: true, inList: true }),
    };
  }

  /** Its patterns are long and few: they are named. */
  #numberWithUnit({ shorthand, minimum = 0, maximum = LONGEST_TIMER_MS }: SchemaNode): JsonSchema {
    const isSize = shorthand === 'size';
    const format = isSize ? formatSize : formatDuration;
    const limits = `from ${format(minimum)}${maximum === LONGEST_TIMER_MS ? '' : ` to ${format(maximum)}`}`;
    const name = `${shorthand} ${limits}`;
    const key = name.replaceAll(' ', '-');
    this.#definitions[key] ??= {
      minimum,
      maximum,
      pattern: (isSize ? sizePattern : durationPattern)(minimum, maximum),
      patternErrorMessage: `Expected ${isSize ? SIZE : DURATION}, ${limits}.`,
    };
    return { $ref: `#/definitions/${key}` };
  }
}

type Types = (...types: string[]) => string[];

/** The types of a value, among them null where a key without a value counts as not given. */
function orNull(node: SchemaNode, { needed, inList }: Place): Types {
  const nullable =
    node.type === 'object' ? mayBeEmpty(node) : inList ? !needed && node.default !== undefined : !needed;
  return (...types) => (nullable ? [...types, 'null'] : types);
}

/** Whether the key has to be given for its section to be whole. */
function isNeeded(section: SchemaNode, key: string): boolean {
  const node = childOf(section, key);
  if (node === undefined || section.required?.includes(key) !== true) return false;
  return node.default === undefined && !(node.type === 'object' && mayBeEmpty(node));
}

function mayBeEmpty(section: SchemaNode): boolean {
  return Object.keys(section.properties ?? {}).every((key) => !isNeeded(section, key));
}

function bounds({ minimum, maximum, minLength }: SchemaNode): JsonSchema {
  return {
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(minLength === undefined ? {} : { minLength }),
  };
}

function described(node: SchemaNode): JsonSchema {
  const { description = '', expected } = node;
  const value = expected === undefined ? '' : `Value: ${expected}.`;
  const said = [description, value].filter((text) => text !== '').join('\n\n');
  return {
    ...(said === '' ? {} : { description: said }),
    ...(node.default === undefined || node.type === 'object' ? {} : { default: written(node.default, node) }),
  };
}

/** What an editor says instead of the pattern. */
function refusal({ expected }: SchemaNode): JsonSchema {
  return expected === undefined ? {} : { patternErrorMessage: `Expected ${expected}.` };
}
