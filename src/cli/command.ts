import type { Command as Declaration } from 'commander';
import type { Flags } from '../config/flags.ts';

/** Exit codes; 70 is in `faults/process-fault.ts`. */
export const OK = 0;
export const FAILED = 1;
export const MISUSED = 2;

/** What is wrong with the command line, in one sentence. */
export class UsageError extends Error {}

/** The sources of configuration that the command line names. */
export interface SourceArguments {
  readonly flags: Flags;
  readonly file?: string;
  readonly druidProperties?: string;
}

/** What a command was given. */
export interface Given {
  readonly sources: SourceArguments;
  /** Its own options by commander's names: `--from-file` is `fromFile`. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Its own arguments; as many as it declares, at most. */
  readonly args: readonly string[];
}

export interface Example {
  readonly line: string;
  readonly what: string;
}

/**
 * One command. Its file is loaded for every command line, so what it works with is imported in `run`.
 */
export interface CliCommand {
  readonly name: string;
  /** Half a sentence for the list of commands. */
  readonly summary: string;
  /** Whether flags, files and variables of the configuration mean something to it, so its help shows them. */
  readonly takesConfiguration: boolean;
  readonly examples: readonly Example[];
  /** Declares its own options and arguments, where it has any. */
  readonly declare?: (declaration: Declaration) => void;
  /** Resolves to the exit code. Throws `UsageError` and `ConfigError` for what is the caller's mistake. */
  readonly run: (given: Given) => Promise<number>;
}
