import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DOOR } from './door.ts';

/** The program as people run it: a process of its own. */
export interface RunningGateway {
  readonly url: string;
  readonly admin: string;
  readonly pid: number;
  /** Everything on standard error so far. */
  log(): string;
  status(): Promise<GatewayStatus>;
  /** The value of a metric as it is exposed, labels included in its name. */
  metric(name: string): Promise<number>;
  /** Waits until `/status` is so; says what it is instead when that takes two minutes. */
  until(holds: (status: GatewayStatus) => boolean): Promise<GatewayStatus>;
  /** Resolves with the exit code when it has ended by itself. */
  readonly ended: Promise<number | null>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** As much of `/status` as tests look at. */
export interface GatewayStatus {
  readonly complete: boolean;
  readonly leaders: Readonly<
    Record<
      'coordinator' | 'overlord',
      {
        state: string;
        node: string | null;
        term: number | null;
        knownBy: string;
        rivals: string[];
      }
    >
  >;
  readonly brokers: readonly { node: string; ready: boolean; ejected: boolean }[];
  readonly discovery: { state: string; age: number | null };
  readonly workers?: readonly {
    worker: number;
    pid: number | null;
    state: string;
    inFlight: number;
    restarts: number;
    lastExit?: { reason: string; code: number | null; signal: string | null; when: string };
  }[];
}

const BUILT = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const SOURCES = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const PATIENCE_MS = 120_000;
const AT_FAULT = new URL('./at-fault.ts', import.meta.url);

/** What a process is told to do on SIGWINCH, as the environment of the program. */
export function atFault(
  what: 'throws' | 'rejects' | 'busy' | 'complains' | 'garbles' | 'mute' | 'stuck',
  ms = 0,
): Record<string, string> {
  return { NODE_OPTIONS: `--import ${AT_FAULT.href}`, AT_FAULT: what, AT_FAULT_MS: String(ms) };
}

/** Starts the built program on free ports and waits for its line. */
export function startGateway(...args: string[]): Promise<RunningGateway> {
  return startGatewayWith({}, ...args);
}

/** The same with keys of the configuration, such as `{ PARKING__MAX_WAIT: '2s' }`, as its environment has them. */
export function startGatewayWith(
  keys: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<RunningGateway> {
  return startProgram(BUILT, keys, args);
}

/** The same from the sources, for tests that need no build. */
export function startGatewayFromSources(
  keys: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<RunningGateway> {
  return startProgram(SOURCES, keys, args);
}

/** From the sources, with a fault in all its processes (`atFault`). */
export function startFaultyGateway(
  fault: Readonly<Record<string, string>>,
  keys: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<RunningGateway> {
  return startProgram(SOURCES, keys, args, fault);
}

async function startProgram(
  main: string,
  keys: Readonly<Record<string, string>>,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningGateway> {
  const doors = {
    DOORS__EXPRESS: String(DOOR !== 'front'),
    DOORS__SHARED_READ_BUFFER: String(DOOR === 'shared'),
  };
  const settings = Object.entries({ ...doors, ...keys }).map(([key, value]) => [
    `DRUID_GATEWAY__${key}`,
    value,
  ]);
  const child = spawn(
    process.execPath,
    [main, 'serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment, ...Object.fromEntries(settings) },
    },
  );
  // Also where a test fails before it stops its gateway.
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const exited = once(child, 'exit');
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([first]) => String(first)),
    exited.then(() => {
      throw new Error(`the gateway ended: ${log}`);
    }),
  ]);
  const [, url = '', admin = ''] = /serves on (\S+), admin on (\S+)$/.exec(line) ?? [];
  const status = async (): Promise<GatewayStatus> =>
    (await (await fetch(`${admin}/status`)).json()) as GatewayStatus;
  return {
    url,
    admin,
    pid: child.pid ?? 0,
    log: () => log,
    status,
    async metric(name) {
      const text = await (await fetch(`${admin}/metrics`)).text();
      const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
      if (line === undefined) throw new Error(`there is no metric ${name}`);
      return Number(line.slice(name.length + 1));
    },
    async until(holds) {
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        const now = await status();
        if (holds(now)) return now;
        if (performance.now() > deadline) {
          throw new Error(`not within two minutes: ${JSON.stringify(now)}\n${log.slice(-2_000)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    ended: exited.then(() => child.exitCode),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
      return child.exitCode;
    },
  };
}

/** Both masters serve and both Brokers are ready. */
export function isWhole(status: GatewayStatus): boolean {
  const { coordinator, overlord } = status.leaders;
  const ready = status.brokers.filter((broker) => broker.ready);
  return coordinator.state === 'serving' && overlord.state === 'serving' && ready.length === 2;
}
