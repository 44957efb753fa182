import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SourceArguments } from '../../../src/cli/command.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { serveArguments } from '../../../src/cli/serve-arguments.ts';
import { FLAGS } from '../../../src/config/flags.ts';

/** What commander makes of a command line that names `serve` first. */
async function byCommander(args: readonly string[]): Promise<SourceArguments | null> {
  let sources: SourceArguments | null = null;
  const program = createProgram(
    async (command, given) => {
      if (command.name === 'serve') sources = given.sources;
    },
    () => '',
  );
  await program.parseAsync([...args], { from: 'user' });
  return sources;
}

const name = fc.constantFrom(...FLAGS.map((flag) => flag.name), 'config', 'druid-properties');
const value = fc.oneof(
  fc.string(),
  fc.constantFrom('a:1', 'help', 'serve', '--listen', '-h', '=', 'a=b', '/x y'),
);
const option = fc.oneof(
  fc.tuple(name, value).map(([key, text]) => [`--${key}`, text]),
  fc.tuple(name, value).map(([key, text]) => [`--${key}=${text}`]),
  fc.tuple(fc.constantFrom('--print', '-h', '--', 'status', '--lis', '--help', '--version')),
);

test('a command line that is read without commander means the same to commander', async () => {
  let read = 0;
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(option, { maxLength: 4 }), async (named, options) => {
      const args = options.flat();
      const sources = serveArguments(named ? ['serve', ...args] : args);
      if (sources === null) return;
      read++;
      expect(sources).toEqual(await byCommander(['serve', ...args]));
    }),
    { numRuns: 1_000 },
  );
  expect(read).toBeGreaterThan(100);
});

test.for([
  { args: ['status'] },
  { args: ['serve', 'now'] },
  { args: ['--config'] },
  { args: ['--config', '--listen', 'a:1'] },
  { args: ['--config='] },
  { args: ['--listen', '-h'] },
  { args: ['--no-such-flag', 'x'] },
  { args: ['--constructor', 'x'] },
  { args: ['--config', 'x', 'serve'] },
])('commander reads $args', ({ args }) => {
  expect(serveArguments(args)).toBeNull();
});
