import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAccessLog } from '../../../src/logs/access-log.ts';
import { createLogger } from '../../../src/logs/logger.ts';
import { styleFor } from '../../../src/logs/style.ts';
import { textLine } from '../../../src/logs/text-line.ts';
import { exchange } from '../admin/fakes.ts';

const plain = styleFor({ isTTY: false }, {});
const coloured = styleFor({ isTTY: true }, {});

const TIME = /^\d\d:\d\d:\d\d\.\d{3}Z /;

function written(log: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  log(createLogger({ level: 'trace', format: 'text', stream }));
  return lines.join('');
}

describe('a line for people', () => {
  test('has time, level and message, then the fields that say something', () => {
    const line = written((logger) =>
      logger.warn(
        { node: 'a:8082', failures: 5, detail: null, of: { term: 3 }, why: 'no answer' },
        'ejected',
      ),
    );
    expect(line).toMatch(TIME);
    expect(line.replace(TIME, '')).toBe(
      'WARN  ejected node=a:8082 failures=5 of={"term":3} why="no answer"\n',
    );
  });

  test('of a request says what was asked and answered first', () => {
    const line = written((logger) => createAccessLog(logger)(exchange({ parkedMs: 3, user: 'a b' })));
    expect(line.replace(TIME, '')).toBe(
      'INFO  POST /druid/v2/sql 200 12.3ms broker/query 10.0.0.1:8082 id=r-1 attempts=1 parkedMs=3 ' +
        'bytesIn=100 bytesOut=1000 end=complete remote=192.0.2.1 user="a b"\n',
    );
    const own = exchange({ role: 'local', class: 'local', upstream: null, status: 404 });
    expect(written((logger) => createAccessLog(logger)(own))).toContain(' 404 12.3ms local id=r-1');
  });

  test('has the stack of an error below it, indented', () => {
    const error = new Error('broken\n12:00:00.000Z INFO  forged');
    const [first, ...others] = written((logger) => logger.fatal({ err: error }, 'a fault')).split('\n');
    expect(first).toMatch(/FATAL a fault$/);
    expect(others.slice(0, 3)).toEqual([
      '    Error: broken',
      '    12:00:00.000Z INFO  forged',
      expect.stringMatching(/^ {4}at /),
    ]);
    expect(written((logger) => logger.error({ stack: 'Error: x\n    at y' }, 'internal error'))).toMatch(
      /ERROR internal error\n {4}Error: x\n {4}at y\n$/,
    );
  });

  test('has colours on a terminal only, and not where NO_COLOR or a dumb terminal forbids them', () => {
    const json = '{"level":"error","time":"2026-11-26T12:00:00.000Z","msg":"m"}\n';
    expect(textLine(json, coloured)).toContain('\x1b[31mERROR\x1b[0m');
    for (const style of [
      plain,
      styleFor({ isTTY: true }, { NO_COLOR: '1' }),
      styleFor({ isTTY: true }, { TERM: 'dumb' }),
    ]) {
      expect(textLine(json, style)).toBe('12:00:00.000Z ERROR m\n');
    }
  });

  test('that is no JSON stays as it is, escaped', () => {
    expect(textLine('what\x1b[2J is this\n', plain)).toBe('what\\u001b[2J is this\n');
    expect(textLine('[1]\n', plain)).toBe('[1]\n');
  });
});

test('nothing that comes acts upon a terminal, or begins a line of its own', () => {
  const odd = fc.constantFrom('\x1b[2J', '\n', '\r', '\x07', '\x9b', '\u202e', '\u2028', '"', '=', ' ', 'é');
  const texts = fc
    .array(fc.oneof(odd, fc.string({ unit: 'binary' })), { maxLength: 8 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, texts, texts, texts, (path, user, message, name) => {
      const lines = written((logger) => {
        createAccessLog(logger)(exchange({ path, user, method: message }));
        logger.info({ [name]: path, nested: { [name]: user } }, message);
      });
      expect(lines.match(/\n/g)?.length).toBe(2);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal would act on.
      expect(lines).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/);
    }),
    { numRuns: 300 },
  );
});

test('json is what a stream gets unless it is told otherwise', () => {
  const lines: string[] = [];
  for (const format of ['json', 'auto'] as const) {
    const stream = { write: (line: string) => void lines.push(line) };
    createLogger({ level: 'info', format, stream }).info('m');
  }
  // Standard error of tests is no terminal.
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ msg: 'm' });
});
