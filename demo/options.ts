import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly port: number;
  readonly adminPort: number;
  /** The whole of Druid's page "High availability". */
  readonly ha: boolean;
  /** Break one thing after the other: each once, or for so many seconds. */
  readonly chaos: 'once' | number | null;
  /** Where the table of the chaos goes as JSON, too. */
  readonly json: string | null;
  /** End after the first query, for scripts. */
  readonly once: boolean;
  /** Leave the scratch folder. */
  readonly keep: boolean;
  readonly help: boolean;
}

export const DEMO_HELP = `Usage: npm run demo [-- OPTIONS]

Starts a real ZooKeeper and a real Druid cluster on loopback with the gateway in front, loads a small data set
through it, runs a query, and stays up until Ctrl-C. Needs Java 17, Maven and about 3 GB of memory.

  --ha               all of Druid's page "High availability" on this machine: three ZooKeepers, PostgreSQL with a
                     standby, two Coordinators, two Overlords, three Brokers. Needs PostgreSQL and about 4 GB
  --chaos [SECONDS]  with all of that, kill, freeze and cut one thing after the other under load, each once or for so
                     many seconds, and print a table of what clients saw; Ctrl-C ends it early. Ends with 1 if
                     anything acknowledged was lost or doubled, or an answer was wrong
  --json FILE        the table as JSON in a file, too
  --port PORT        the gateway's port (8888)
  --admin-port PORT  its admin port (9888)
  --once             end after the first query
  --keep             leave the scratch folder with data and logs
  --help             this text
`;

/** Throws with one sentence about what is wrong. */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: withValueOfChaos(args),
    options: {
      port: { type: 'string', default: '8888' },
      'admin-port': { type: 'string', default: '9888' },
      ha: { type: 'boolean', default: false },
      chaos: { type: 'string' },
      json: { type: 'string' },
      once: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const chaos = values.chaos === undefined ? null : chaosOf(values.chaos);
  if (values.json !== undefined && chaos === null) throw new Error('--json is for the table of --chaos');
  return {
    port: portOf('--port', values.port),
    adminPort: portOf('--admin-port', values['admin-port']),
    ha: values.ha || chaos !== null,
    chaos,
    json: values.json ?? null,
    once: values.once,
    keep: values.keep,
    help: values.help,
  };
}

const ONCE = 'once';

/** `parseArgs` knows no value that can be left out. */
function withValueOfChaos(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    if (arg === '--chaos') return /^[^-]/.test(args[i + 1] ?? '') ? [arg] : [`--chaos=${ONCE}`];
    return [arg];
  });
}

function chaosOf(text: string): 'once' | number {
  if (text === ONCE) return text;
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds < 1) throw new Error(`--chaos is ${text}; expected a number of seconds, or nothing`);
  return seconds;
}

function portOf(flag: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Error(`${flag} is ${text}; expected a port from 1 to 65535`);
  return port;
}
