import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';

/** What JSON can hold and few expect. */
const CORNERS: readonly string[] = [
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  '"constructor"',
  '1e999',
  '-1e999',
  '-0',
  '9007199254740993',
  '123456789012345678901234567890',
  '2147483648',
  'null',
  'true',
  '{}',
  '[]',
  '{"__proto__":{"queryId":"x","timeout":1}}',
  '"2024-01-01/P999999Y"',
  '["1/2","x","P1D/2024"]',
  `"${'x'.repeat(300)}"`,
];

const KEYS = [
  ...['context', 'queryId', 'sqlQueryId', 'timeout', 'priority', 'brokerService', 'dataSource', 'intervals'],
  ...['queryType', 'queries', 'query', 'left', 'right', 'base', 'dataSources', 'name', 'segments', 'itvl'],
  ...[
    'connectionId',
    'statementHandle',
    'nodeType',
    'druidNode',
    'service',
    'host',
    'plaintextPort',
    '__proto__',
  ],
];

/** Texts that are JSON, mostly about the words that are looked for. */
const { value } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(...CORNERS),
    fc.json({ maxDepth: 2 }),
    tie('object'),
    fc.array(tie('value'), { maxLength: 4 }).map((values) => `[${values.join(',')}]`),
  ),
  object: fc
    .array(fc.tuple(fc.constantFrom(...KEYS), tie('value')), { maxLength: 6 })
    .map((fields) => `{${fields.map(([key, of]) => `"${key}":${of}`).join(',')}}`),
}));

const LEVELS = 100_000;

/** Large ones, each made once. */
export const EXTREMES: readonly string[] = [
  '['.repeat(LEVELS),
  '['.repeat(LEVELS) + ']'.repeat(LEVELS),
  `{"context":${'{"a":'.repeat(LEVELS)}1${'}'.repeat(LEVELS)},"queryId":1}`,
  `{"dataSource":${'{"base":'.repeat(LEVELS)}"t"${'}'.repeat(LEVELS)}}`,
  `{"dataSource":${'{"query":{"dataSource":'.repeat(LEVELS / 2)}"t"${'}}'.repeat(LEVELS / 2)}}`,
  `{"queries":${'[{"queries":'.repeat(LEVELS / 2)}1${'}]'.repeat(LEVELS / 2)}}`,
  `{"intervals":${'{"intervals":'.repeat(LEVELS)}1${'}'.repeat(LEVELS)}}`,
  `{"context":{"queryId":"${'x'.repeat(1_000_000)}"}}`,
  `{"connectionId":"${'\\ud800'.repeat(100_000)}"}`,
  `{"dataSource":"t","intervals":[${Array(1_000_000).fill('"1/2"').join(',')}]}`,
  `{"dataSource":"t","intervals":[${Array(200_000).fill('"2024-01-01/P1D"').join(',')}]}`,
  `{"dataSource":{"type":"union","dataSources":[${Array(300_000).fill('"t"').join(',')}]}}`,
];

/** Bodies as they come: plain, compressed, and compressed by somebody who lies. */
export const bodies: fc.Arbitrary<Buffer> = fc.oneof(
  value.map((text) => Buffer.from(text)),
  value.map((text) => gzipSync(text)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from([0x1f, 0x8b, 8, ...bytes])),
  fc.tuple(value, fc.nat(200)).map(([text, cut]) => gzipSync(text).subarray(0, cut)),
  value.map((text) => Buffer.concat([gzipSync(text), Buffer.from(text)])),
  value.map((text) => Buffer.concat([Buffer.from([0x1f, 0x8b]), deflateSync(text)])),
  fc.tuple(value, fc.nat(400), fc.nat(255)).map(([text, at, byte]) => {
    const spoiled = gzipSync(text);
    spoiled[at % spoiled.length] = byte;
    return spoiled;
  }),
);

export const texts: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(fc.nat(0xffff), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes)),
  fc
    .array(
      fc.constantFrom(
        ...['/druid/v2', '/sql', '/', '..', '%', '%2', '%2e', '?', '#', ';', '\\', '\ud800', '*'],
      ),
      {
        maxLength: 12,
      },
    )
    .map((parts) => parts.join('')),
  value,
);

/** Heads, nearly. */
export const blocks: fc.Arbitrary<string> = fc.oneof(
  texts,
  fc
    .array(
      fc.constantFrom(
        ...[
          'Connection',
          'Content-Length',
          'transfer-encoding',
          'TE',
          'Host',
          'X-Forwarded-For',
          'Trailer',
          'Date',
        ],
        ...[
          'Keep-Alive',
          'Location',
          'X-Druid-Query-Id',
          'x-request-id',
          'Expect',
          ': ',
          ':',
          ' ',
          '\t',
          ',',
          'close',
        ],
        ...[
          '\r\n',
          '\r',
          '\n',
          '\0',
          '\xff',
          'chunked',
          '1',
          '99999999999999999999',
          'timeout=5',
          'upgrade',
          '',
        ],
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join('')),
);
