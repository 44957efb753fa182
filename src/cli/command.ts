import type { Command as Declaration } from 'commander';
import type { Flags } from '../config/flags.ts';

/** Exit codes; 70 is in `faults/process-fault.ts`. */
export const OK = 0;
export const FAILED = 1;
export const MISUSED = 2;

/** A mistake in the command line, described in one sentence. */
export class UsageError extends Error {}

/** The sources of configuration that the command line names. */
export interface SourceArguments {
  readonly flags: Flags;
  readonly file?: string;
  readonly druidProperties?: string;
}

/** The input of a command. */
export interface Given {
  readonly sources: SourceArguments;
  /** The command's own options by commander's names: `--from-file` is `fromFile`. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The command's own arguments, at most as many as it declares. */
  readonly args: readonly string[];
  readonly commandLine: () => CommandLine;
}

/** The whole command line, for commands that describe it. */
export interface CommandLine {
  readonly program: Declaration;
  readonly commands: readonly CliCommand[];
}

export interface Example {
  readonly line: string;
  readonly what: string;
}

/** One command. Its file is loaded for every command line, so `run` imports what it needs. */
export interface CliCommand {
  readonly name: string;
  /** Half a sentence for the list of commands. */
  readonly summary: string;
  /** Whether the command reads the configuration, so its help shows flags, files and variables. */
  readonly takesConfiguration: boolean;
  /** Whether the command asks a running gateway, and has the options that say which. */
  readonly asksGateway?: true;
  readonly examples: readonly Example[];
  /** Declares the command's own options and arguments, if it has any. */
  readonly declare?: (declaration: Declaration) => void;
  /** Resolves to the exit code. Rejects with `UsageError` or `ConfigError` for mistakes of the caller. */
  readonly run: (given: Given) => Promise<number>;
}
