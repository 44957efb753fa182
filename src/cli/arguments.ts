import { parseArgs } from 'node:util';
import type { Flags } from '../config/flags-source.ts';
import { nearest } from '../config/nearest.ts';

/** What is wrong with the command line, in one sentence. */
export class UsageError extends Error {}

export interface SourceArguments {
  readonly flags: Flags;
  readonly file?: string;
  readonly druidProperties?: string;
}

export type Command =
  | { readonly name: 'serve'; readonly sources: SourceArguments }
  | { readonly name: 'check-config'; readonly sources: SourceArguments; readonly print: boolean }
  | { readonly name: 'help' }
  | { readonly name: 'version' };

export const HELP = `Usage: druid-gateway [serve] [OPTIONS]
       druid-gateway check-config [--print] [OPTIONS]

One URL for a highly available Apache Druid cluster.

  --zookeeper HOST:PORT[,HOST:PORT...][/chroot]  where Druid's ZooKeeper is (localhost:2181)
  --listen HOST:PORT        for Druid's clients (0.0.0.0:8888)
  --admin HOST:PORT         for metrics, health and status (127.0.0.1:9888)
  --config FILE             a YAML file; config/full.yaml explains every key
  --druid-properties FILE   Druid's own common.runtime.properties
  --discovery TYPE          zookeeper or static
  --log-level LEVEL         trace, debug, info, warn, error, fatal or silent
  --print                   with check-config: the whole configuration, without secrets
  --help, --version

Flags win over environment variables (DRUID_GATEWAY__SECTION__KEY), these over the file, the file over Druid's
properties, and these over the defaults. Ends with 0 on SIGTERM after draining, 1 when it cannot start, 2 when the
command line or the configuration is wrong, 70 after a fault of its own.
`;

const COMMANDS = ['serve', 'check-config', 'help', 'version'] as const;

const OPTIONS = {
  zookeeper: { type: 'string' },
  listen: { type: 'string' },
  admin: { type: 'string' },
  config: { type: 'string' },
  'druid-properties': { type: 'string' },
  discovery: { type: 'string' },
  'log-level': { type: 'string' },
  print: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

/** Throws `UsageError`. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  const [command = 'serve', ...more] = positionals;
  if (!isCommand(command)) {
    throw new UsageError(`there is no command ${command}${meant(command, COMMANDS)}; see --help`);
  }
  if (more.length > 0) throw new UsageError(`${more[0]} is one argument too many; see --help`);
  if (values.help || command === 'help') return { name: 'help' };
  if (values.version || command === 'version') return { name: 'version' };
  const { config, 'druid-properties': druidProperties, print, help, version, ...flags } = values;
  const sources: SourceArguments = {
    flags,
    ...(config === undefined ? {} : { file: config }),
    ...(druidProperties === undefined ? {} : { druidProperties }),
  };
  if (command === 'check-config') return { name: command, sources, print: print === true };
  if (print) throw new UsageError('--print goes with check-config only');
  return { name: 'serve', sources };
}

function parse(args: readonly string[]) {
  for (const arg of args) {
    if (/^-[^-hV]/.test(arg)) throw new UsageError(`there is no option ${arg.slice(0, 2)}; see --help`);
    const [, name] = /^--([^=]+)/.exec(arg) ?? [];
    if (name === undefined || Object.hasOwn(OPTIONS, name)) continue;
    throw new UsageError(
      `there is no option --${name}${meant(name, Object.keys(OPTIONS), '--')}; see --help`,
    );
  }
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const [sentence = ''] = error instanceof Error ? error.message.split('\n') : [];
    throw new UsageError(`${sentence.replace(/\.$/, '')}; see --help`);
  }
}

function isCommand(text: string): text is (typeof COMMANDS)[number] {
  return (COMMANDS as readonly string[]).includes(text);
}

function meant(name: string, candidates: readonly string[], prefix = ''): string {
  const candidate = nearest(name, candidates);
  return candidate === null ? '' : `, did you mean ${prefix}${candidate}?`;
}
