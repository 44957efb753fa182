import type { CliCommand } from './command.ts';
import { brokers } from './commands/brokers.ts';
import { checkConfig } from './commands/check-config.ts';
import { completion } from './commands/completion.ts';
import { doctor } from './commands/doctor.ts';
import { explain } from './commands/explain.ts';
import { health } from './commands/health.ts';
import { history } from './commands/history.ts';
import { logLevel } from './commands/log-level.ts';
import { man } from './commands/man.ts';
import { reload } from './commands/reload.ts';
import { serve } from './commands/serve.ts';
import { status } from './commands/status.ts';
import { version } from './commands/version.ts';

/** Every command, in the order of the help. `help` is commander's own. */
export const COMMANDS: readonly CliCommand[] = [
  serve,
  checkConfig,
  doctor,
  explain,
  status,
  brokers,
  history,
  reload,
  logLevel,
  health,
  completion,
  man,
  version,
];
