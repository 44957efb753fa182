import { type Command as Declaration, Option } from 'commander';

/** Options of each command that asks a running gateway: as commander writes them, and what they mean. */
const ADMIN_OPTIONS = [
  [
    '--admin <URL>',
    'the admin listener of the gateway; else that of the configuration (http://127.0.0.1:9888)',
  ],
  ['--config <FILE>', 'the configuration to take the admin listener from'],
  [
    '--token-file <FILE>',
    'a file with the token for actions; else DRUID_GATEWAY_TOKEN, or that of the configuration',
  ],
  ['--ca <FILE>', 'what the certificate of the listener is checked against, in PEM'],
  ['--cert <FILE>', 'a certificate to show, in PEM'],
  ['--key <FILE>', 'its key'],
] as const;

const NAMES: ReadonlySet<string> = new Set(ADMIN_OPTIONS.map(([flags]) => flags.split(' ')[0] ?? ''));

/** Declares the options of a command that asks a running gateway. */
export function declareAdminOptions(declaration: Declaration): void {
  for (const [flags, description] of ADMIN_OPTIONS) declaration.addOption(new Option(flags, description));
}

/** Whether an option, such as `--ca`, is one of these. */
export function isAdminOption(long: string | undefined): boolean {
  return long !== undefined && NAMES.has(long);
}
