import type { CliCommand } from './command.ts';
import { checkConfig } from './commands/check-config.ts';
import { doctor } from './commands/doctor.ts';
import { serve } from './commands/serve.ts';
import { version } from './commands/version.ts';

/** Every command, in the order of the help. `help` is commander's own. */
export const COMMANDS: readonly CliCommand[] = [serve, checkConfig, doctor, version];
