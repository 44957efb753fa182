import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDemoOptions } from '../../../demo/options.ts';

test.each([
  [[], { ha: false, chaos: null }],
  [['--ha'], { ha: true, chaos: null }],
  [['--chaos'], { ha: true, chaos: 'once' }],
  [['--ha', '--chaos', '--keep'], { ha: true, chaos: 'once', keep: true }],
  [['--chaos', '600'], { ha: true, chaos: 600 }],
  [['--chaos=600', '--json', 'table.json'], { chaos: 600, json: 'table.json' }],
  [['--chaos', '--json', 'table.json', '--port', '8000'], { chaos: 'once', json: 'table.json', port: 8000 }],
])('%j', (args, expected) => {
  expect(parseDemoOptions(args)).toMatchObject(expected);
});

test.each([
  [['--chaos', 'soon'], '--chaos is soon; expected a number of seconds, or nothing'],
  [['--chaos', '0'], '--chaos is 0; expected a number of seconds, or nothing'],
  [['--chaos='], '--chaos is ; expected a number of seconds, or nothing'],
  [['--json', 'table.json'], '--json is for the table of --chaos'],
  [['--port', '0'], '--port is 0; expected a port from 1 to 65535'],
  [['--admin-port', '65536'], '--admin-port is 65536; expected a port from 1 to 65535'],
])('%j is refused', (args, message) => {
  expect(() => parseDemoOptions(args)).toThrow(message);
});

test('any command line is either understood or refused with an error', () => {
  const word = fc.oneof(
    fc.constantFrom('--ha', '--chaos', '--once', '--keep', '--port', '--json', '--', '-h', '10'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      try {
        const { chaos, ha } = parseDemoOptions(args);
        expect(chaos === null || ha).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
