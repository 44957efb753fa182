import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../../src/cli/commands.ts';
import { createProgram } from '../../../../src/cli/program.ts';
import { completionScript } from '../../../../src/cli/reference/completion.ts';
import { describeProgram } from '../../../../src/cli/reference/describe.ts';
import { manPage } from '../../../../src/cli/reference/man-page.ts';
import { SHELLS } from '../../../../src/cli/reference/shells.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));

const program = createProgram(
  async () => {},
  () => '',
);
const reference = describeProgram({ program, commands: COMMANDS });
const has = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;
const scriptOf = (shell: (typeof SHELLS)[number]): string => join(folder, `completion.${shell}`);

beforeAll(() => {
  for (const shell of SHELLS) writeFileSync(scriptOf(shell), completionScript(shell, reference));
  writeFileSync(join(folder, 'a gateway.yaml'), '');
});

test('the reference has every command and option of the program', () => {
  expect(reference.commands.map(({ name }) => name)).toEqual(COMMANDS.map(({ name }) => name));
  for (const command of reference.commands) {
    const declared = program.commands.find((one) => one.name() === command.name);
    expect(command.options.map(({ long }) => long)).toEqual([
      ...(declared?.options.map(({ long }) => long) ?? []),
      '--help',
    ]);
  }
});

describe('bash', () => {
  /** What bash offers for a line whose last word is being written. */
  async function offered(...words: readonly string[]): Promise<string[]> {
    const line = ['druid-gateway', ...words].map((word) => `'${word}'`).join(' ');
    const script = `source '${scriptOf('bash')}'; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _druid_gateway; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['--norc', '-c', script], { cwd: folder });
    return stdout.split('\n').filter((word) => word !== '');
  }

  test('takes the script, and has it complete the command', async () => {
    await run('bash', ['-n', scriptOf('bash')]);
    const { stdout } = await run('bash', [
      '--norc',
      '-c',
      `source '${scriptOf('bash')}'; complete -p druid-gateway`,
    ]);
    expect(stdout).toBe('complete -F _druid_gateway druid-gateway\n');
  });

  test('offers commands, and what begins as the word does', async () => {
    expect(await offered('')).toEqual(
      expect.arrayContaining([...COMMANDS.map(({ name }) => name), 'help', '--config', '--version']),
    );
    expect(await offered('he')).toEqual(['health', 'help']);
    expect(await offered('help', 'ex')).toEqual(['explain']);
  });

  test('offers the options of a command, those of the configuration where it reads it, and no others', async () => {
    expect(await offered('explain', 'GET', '/x', '--d')).toEqual(['--data']);
    expect(await offered('check-config', '--p')).toEqual(['--print']);
    expect(await offered('serve', '--z')).toEqual(['--zookeeper']);
    expect(await offered('status', '--z')).toEqual([]);
    expect(await offered('--config', 'x.yaml', 'status', '--w')).toEqual(['--watch']);
  });

  test('offers choices of arguments and values, and files', async () => {
    expect(await offered('brokers', '')).toEqual(expect.arrayContaining(['cordon', 'drain', 'return']));
    expect(await offered('brokers', 'dr')).toEqual(['drain']);
    expect(await offered('completion', 'f')).toEqual(['fish']);
    expect(await offered('serve', '--log-level', 'e')).toEqual(['error']);
    expect(await offered('serve', '--discovery', '')).toEqual([
      'zookeeper',
      'kubernetes',
      'consul',
      'dns',
      'static',
    ]);
    expect(await offered('serve', '--config', 'a')).toEqual(['a gateway.yaml']);
    expect(await offered('serve', '--listen', '')).toEqual([]);
    expect(await offered('doctor', '--watch', '')).toEqual([]);
    expect(await offered('status', '--watch', '--j')).toEqual(['--json']);
    expect(await offered('--log-level', 'w')).toEqual(['warn']);
  });
});

test.skipIf(!has('zsh'))('zsh takes the script', async () => {
  await run('zsh', ['-n', scriptOf('zsh')]);
});

test.skipIf(!has('fish'))('fish takes the script, and offers what bash does', async () => {
  const offered = async (line: string): Promise<string[]> => {
    const { stdout } = await run('fish', ['-c', `source '${scriptOf('fish')}'; complete -C '${line}'`]);
    return stdout.split('\n').map((each) => each.split('\t')[0] ?? '');
  };
  expect(await offered('druid-gateway he')).toEqual(expect.arrayContaining(['health', 'help']));
  expect(await offered('druid-gateway brokers dr')).toContain('drain');
  expect(await offered('druid-gateway serve --log-level e')).toContain('error');
});

describe('the man page', () => {
  const page = manPage(reference, '1.2.3');

  test('has every command with its options and examples', () => {
    for (const { name, options, examples } of reference.commands) {
      expect(page).toMatch(new RegExp(`^\\.SS druid\\\\-gateway ${name.replace('-', '\\\\-')}`, 'm'));
      for (const { long } of options.filter(({ long }) => long !== '--help')) {
        expect(page).toContain(`.B ${long.replaceAll('-', '\\-')}`);
      }
      for (const { line } of examples) expect(page).toContain(line.replaceAll('-', '\\-'));
    }
  });

  test.skipIf(!has('groff'))('is roff without a warning', async () => {
    const file = join(folder, 'druid-gateway.1');
    writeFileSync(file, page);
    const { stdout, stderr } = await run('groff', ['-man', '-Tascii', '-ww', '-P-c', file]);
    expect(stderr).toBe('');
    // Bold letters are written twice, with a backspace between.
    expect(
      stdout
        .split('\b')
        .map((part, i, { length }) => (i < length - 1 ? part.slice(0, -1) : part))
        .join(''),
    ).toContain('brokers ACTION NAME');
  });
});
