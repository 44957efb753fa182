import { FLAGS } from '../config/flags.ts';
import type { SourceArguments } from './command.ts';

/** Options that name files, and their names in `SourceArguments`. */
const FILES = { config: 'file', 'druid-properties': 'druidProperties' } as const;

const FLAG_NAMES: ReadonlySet<string> = new Set(FLAGS.map(({ name }) => name));

/**
 * Reads the command line of a gateway that is to serve: `serve` or nothing, and options that have a value each. Returns
 * null for every other one, also for one that is wrong: commander then reads it, and says what is wrong. Loading
 * commander and all commands takes 4 MB and 40 ms, which a gateway that serves has no use for.
 */
export function serveArguments(args: readonly string[]): SourceArguments | null {
  const options = args[0] === 'serve' ? args.slice(1) : args;
  const flags: Record<string, string> = {};
  const files: { file?: string; druidProperties?: string } = {};
  for (let i = 0; i < options.length; i++) {
    const [, name = '', inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(options[i] ?? '') ?? [];
    const value = inline ?? options[++i];
    if (value === undefined || value === '' || value.startsWith('-')) return null;
    if (FLAG_NAMES.has(name)) flags[name] = value;
    else if (name === 'config' || name === 'druid-properties') files[FILES[name]] = value;
    else return null;
  }
  return { flags, ...files };
}
