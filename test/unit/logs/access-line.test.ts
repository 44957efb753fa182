import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExchangeRecord } from '../../../src/exchange/ports/record.ts';
import { createAccessLog } from '../../../src/logs/access-log.ts';
import { createLogger } from '../../../src/logs/logger.ts';
import { exchange } from '../admin/fakes.ts';

function lineOf(record: ExchangeRecord): string {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  createAccessLog(createLogger({ level: 'info', stream }))(record);
  expect(lines).toHaveLength(1);
  return (lines[0] ?? '').replace(/"time":"[^"]*"/, '"time":""');
}

test('a line is this text: these fields in this order', () => {
  expect(lineOf(exchange({ durationMs: 7, parkedMs: 1.26, queryId: 'q-1' }))).toBe(
    '{"level":"info","time":"","id":"r-1","method":"POST","path":"/druid/v2/sql","role":"broker","class":"query",' +
      '"status":200,"reason":null,"upstream":"10.0.0.1:8082","attempts":1,"redirected":false,"ms":7,"parkedMs":1.3,' +
      '"bytesIn":100,"bytesOut":1000,"end":"complete","remote":"192.0.2.1","queryId":"q-1","msg":"request"}\n',
  );
  const placement = { service: 'druid/hot', by: 'rule', rule: 2, fellBack: true } as const;
  expect(lineOf(exchange({ upstream: null, reason: 'no_ready_broker', status: 503, placement }))).toBe(
    '{"level":"warn","time":"","id":"r-1","method":"POST","path":"/druid/v2/sql","role":"broker","class":"query",' +
      '"status":503,"reason":"no_ready_broker","upstream":null,"attempts":1,"redirected":false,"ms":12.3,"parkedMs":0,' +
      '"bytesIn":100,"bytesOut":1000,"end":"complete","remote":"192.0.2.1","queryId":null,"service":"druid/hot",' +
      '"chosenBy":"rule 2","fellBack":true,"msg":"request"}\n',
  );
});

/** What `JSON.stringify` makes of it, with the characters escaped that a terminal would act upon. */
function expected(value: string): string {
  const acts = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  return JSON.stringify(value).replace(acts, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const odd = fc.constantFrom(
  '"',
  '\\',
  '\n',
  '\0',
  '\x1b',
  '\x7f',
  '\x9b',
  'é',
  '\u2028',
  '\u202e',
  '\ud800',
  '😀',
);
const texts = fc
  .array(fc.oneof({ weight: 5, arbitrary: fc.constant('x') }, { weight: 1, arbitrary: odd }), {
    maxLength: 60,
  })
  .map((parts) => parts.join(''));

test('any text stands in it as JSON has it, and nothing acts upon a terminal', () => {
  fc.assert(
    fc.property(texts, texts, texts, texts, (id, method, path, remoteAddress) => {
      const placement = { service: id, by: 'manual', rule: null, fellBack: false } as const;
      const line = lineOf(exchange({ id, method, path, upstream: id, remoteAddress, placement }));
      expect(line).toContain(
        `"id":${expected(id)},"method":${expected(method)},"path":${expected(path)},"role"`,
      );
      expect(line).toContain(`"upstream":${expected(id)},"attempts"`);
      expect(line).toContain(`"remote":${expected(remoteAddress)},"queryId"`);
      expect(line).toContain(`"service":${expected(id)},"chosenBy":"manual","msg"`);
    }),
    { numRuns: 300 },
  );
});

test.each(['id', 'method', 'path', 'upstream', 'remoteAddress', 'queryId'] as const)(
  'nothing in %s acts upon a terminal, whatever the other fields hold',
  (field) => {
    expect(lineOf(exchange({ [field]: 'a\u202eb' }))).toContain('"a\\u202eb"');
    // A tag, which no terminal shows, and a filler that looks like nothing.
    expect(lineOf(exchange({ [field]: 'a\u{e0041}\u3164' }))).toContain('"a\\udb40\\udc41\\u3164"');
  },
);

test('each line tells of its own request, whatever the lines before it told', () => {
  const record = fc.record({
    id: fc.constantFrom('r-1', 'r-2'),
    method: fc.constantFrom('GET', 'POST'),
    path: fc.constantFrom('/druid/v2', '/druid/v2/sql'),
    role: fc.constantFrom('broker', 'coordinator'),
    class: fc.constantFrom('query', 'read'),
    status: fc.constantFrom(200, 503),
    reason: fc.constantFrom(null, 'no_ready_broker'),
    upstream: fc.constantFrom(null, '10.0.0.1:8082'),
    attempts: fc.constantFrom(0, 2),
    redirected: fc.boolean(),
    end: fc.constantFrom('complete', 'client_gone', 'upstream_cut'),
    remoteAddress: fc.constantFrom('192.0.2.1', '2001:db8::1'),
    bytesIn: fc.constantFrom(0, 7),
    bytesOut: fc.constantFrom(0, 9),
  });
  fc.assert(
    fc.property(fc.array(record), (records) => {
      for (const { remoteAddress: remote, ...fields } of records) {
        const level = fields.status === 503 || fields.end === 'upstream_cut' ? 'warn' : 'info';
        const line = lineOf(exchange({ ...fields, remoteAddress: remote } as ExchangeRecord));
        expect(JSON.parse(line)).toMatchObject({ ...fields, level, remote });
      }
    }),
  );
});
