import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { CliCommand, Given } from '../../../src/cli/command.ts';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { flagNote } from '../../../src/config/flag-note.ts';
import { FLAGS } from '../../../src/config/flags.ts';

const FOLDER = new URL('../../../src/cli/commands/', import.meta.url);

interface Ran {
  readonly command: CliCommand;
  readonly given: Given;
}

/** What a command line comes to, and what its help would be. */
async function parse(args: readonly string[]): Promise<{ ran: Ran | null; out: string }> {
  let ran: Ran | null = null;
  let out = '';
  const program = createProgram(async (command, given) => {
    ran = { command, given };
  }, flagNote);
  for (const declaration of [program, ...program.commands]) {
    declaration.configureOutput({
      writeOut(text) {
        out += text;
      },
    });
  }
  await program.parseAsync(args, { from: 'user' }).catch((error: { exitCode?: number }) => {
    if (error.exitCode !== 0) throw error;
  });
  return { ran, out };
}

test('the table has every file of src/cli/commands', () => {
  const files = readdirSync(FOLDER).map((file) => file.replace(/\.ts$/, ''));
  expect(COMMANDS.map(({ name }) => name).toSorted()).toEqual(files.toSorted());
});

describe.each(COMMANDS)('$name', (command) => {
  test('has examples that it takes', async () => {
    expect(command.examples).not.toEqual([]);
    for (const { line } of command.examples) {
      const [program, ...args] = line.split(' ');
      expect(program).toBe('druid-gateway');
      const isNamed = args.includes(command.name);
      const { ran } = await parse(isNamed ? args : ['serve', ...args]);
      expect(ran?.command).toBe(command);
    }
  });

  test('shows its examples, and the flags of the configuration where they mean something to it', async () => {
    const { out } = await parse([command.name, '--help']);
    for (const { line, what } of command.examples) {
      expect(out).toContain(`  $ ${line}\n`);
      expect(out).toContain(what);
    }
    expect(out.includes('--zookeeper')).toBe(command.takesConfiguration);
  });
});

test('the help says everything: commands, flags with their defaults and choices, order of sources, exit codes', async () => {
  const { out } = await parse(['--help']);
  const facts = [
    /^One URL for a highly available Apache Druid cluster\.$/m,
    /^ {2}serve .*without a command/m,
    /^ {2}check-config \[--print\] {2}/m,
    /^ {2}--zookeeper HOST:PORT\[,HOST:PORT\.\.\.\]\[\/chroot\] {2}.*\(localhost:2181\)$/m,
    /^ {2}--listen HOST:PORT .*\(0\.0\.0\.0:8888\)$/m,
    /^ {2}--admin HOST:PORT .*\(127\.0\.0\.1:9888\)$/m,
    /^ {2}--config FILE .*config\/full\.yaml explains every key$/m,
    /^ {2}--druid-properties FILE .*common\.runtime\.properties$/m,
    /^ {2}--discovery TYPE .*\(zookeeper, kubernetes, consul, dns or static; zookeeper\)$/m,
    /^ {2}--log-level LEVEL .*\(trace, debug, info, warn, error, fatal or silent; info\)$/m,
    /^ {2}-h, --help /m,
    /^ {2}-V, --version /m,
    /Flags win over environment variables \(DRUID_GATEWAY__SECTION__KEY\)/,
    /0 on SIGTERM after draining, 1 when it cannot start, 2 when the command line or the configuration is\s+wrong, 70/,
  ];
  for (const fact of facts) expect(out).toMatch(fact);
  // However many options a command has, descriptions begin where they can be read.
  expect(out).toMatch(/^ {2}doctor \[OPTIONS\] {2,}Examine/m);
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(150);
  expect((await parse(['check-config', '--help'])).out).toMatch(/^ {2}--print .*without secrets$/m);
});

test.each([[['check-config', '--print']], [['--config', 'a.yaml', 'check-config', '--print']]])(
  '%j has its own option',
  async (args) => {
    const { ran } = await parse(args);
    expect([ran?.command.name, ran?.given.options]).toEqual(['check-config', { print: true }]);
  },
);

test('flags and files stand before or behind the command, and the last of two counts', async () => {
  const flags = Object.fromEntries(FLAGS.map(({ name }) => [name, `of-${name}`]));
  const files = { file: 'a.yaml', druidProperties: 'b.properties' };
  const args = [
    ...['--listen', 'first'],
    ...FLAGS.flatMap(({ name }) => [`--${name}`, `of-${name}`]),
    ...['--config', 'a.yaml', '--druid-properties=b.properties'],
  ];
  for (const line of [
    ['serve', ...args],
    [...args, 'serve'],
  ]) {
    expect((await parse(line)).ran?.given.sources).toEqual({ flags, ...files });
  }
});
