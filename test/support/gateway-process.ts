import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The program as people run it: a process of its own. */
export interface RunningGateway {
  readonly url: string;
  readonly admin: string;
  readonly pid: number;
  /** Everything on standard error so far. */
  log(): string;
  status(): Promise<GatewayStatus>;
  /** Waits until `/status` is so. */
  until(holds: (status: GatewayStatus) => boolean): Promise<GatewayStatus>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** As much of `/status` as tests look at. */
export interface GatewayStatus {
  readonly complete: boolean;
  readonly leaders: Readonly<
    Record<'coordinator' | 'overlord', { state: string; node: string | null; term: number | null }>
  >;
  readonly brokers: readonly { node: string; ready: boolean }[];
  readonly discovery: { state: string; age: number | null };
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Starts the built program on free ports and waits for its line. */
export async function startGateway(...args: string[]): Promise<RunningGateway> {
  const child = spawn(
    process.execPath,
    [MAIN, 'serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
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
    async until(holds) {
      for (;;) {
        const now = await status();
        if (holds(now)) return now;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
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
