import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly port: number;
  readonly adminPort: number;
  /** End after the first query, for scripts. */
  readonly once: boolean;
  /** Leave the scratch folder. */
  readonly keep: boolean;
  readonly help: boolean;
}

export const DEMO_HELP = `Usage: npm run demo [-- OPTIONS]

Starts a real ZooKeeper and a real Druid cluster on loopback with the gateway in front, loads a small data set
through it, runs a query, and stays up until Ctrl-C. Needs Java 17, Maven and about 3 GB of memory.

  --port PORT        the gateway's port (8888)
  --admin-port PORT  its admin port (9888)
  --once             end after the first query
  --keep             leave the scratch folder with data and logs
  --help             this text
`;

/** Throws with one sentence about what is wrong. */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '8888' },
      'admin-port': { type: 'string', default: '9888' },
      once: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    port: portOf('--port', values.port),
    adminPort: portOf('--admin-port', values['admin-port']),
    once: values.once,
    keep: values.keep,
    help: values.help,
  };
}

function portOf(flag: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Error(`${flag} is ${text}; expected a port from 1 to 65535`);
  return port;
}
