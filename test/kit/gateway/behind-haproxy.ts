import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findHaproxy } from '../../../tools/deploy-tools/toolbox.ts';
import { eventually } from '../eventually.ts';
import { testPorts } from '../net/ports.ts';
import { type RunningGateway, startGatewayWith } from './gateway-process.ts';

const EXAMPLE = fileURLToPath(new URL('../../../deploy/haproxy/gateways.cfg', import.meta.url));
const HOW_MANY = 3;
/** What HAProxy says of a gateway that does not listen any more. */
export const TOO_LATE = 'Layer4 connection problem';

const found = await findHaproxy((line) => void process.stderr.write(`${line}\n`));
if ('missing' in found) {
  if (process.env.CI && !found.absent) throw new Error(found.missing);
  process.stderr.write(`tests with HAProxy are skipped: ${found.missing}\n`);
}
export const HAS_HAPROXY = 'path' in found;

/** Three gateways as the example in `deploy/haproxy` has them, and HAProxy in front. */
export interface SeveralGateways {
  /** HAProxy. Its answers name the gateway in `X-Gateway`: `gateway1` and so on. */
  readonly url: string;
  readonly gateways: readonly RunningGateway[];
  /**
   * SIGTERM, then the same again on the same port once it has ended. Resolves when HAProxy sends requests to it again,
   * with the reason that it had to send none, in its own words.
   */
  restart(index: number): Promise<string>;
  close(): Promise<void>;
}

/** Starts all of them; `keys` and `args` are for each gateway. */
export async function startSeveralGateways(
  keys: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<SeveralGateways> {
  if ('missing' in found) throw new Error(found.missing);
  const [port = 0, statsPort = 0, ...ports] = await testPorts(2 + HOW_MANY);
  const start = (index: number): Promise<RunningGateway> =>
    startGatewayWith(
      { SHUTDOWN__DELAY: '3s', FORWARDED__TRUST: '127.0.0.0/8', ...keys },
      ...['--listen', `127.0.0.1:${ports[index]}`, ...args],
    );
  const gateways = await Promise.all(ports.map((_, index) => start(index)));
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  let example = await readFile(EXAMPLE, 'utf8');
  for (const [index, own] of ports.entries()) {
    example = example.replace(`gateway-${index + 1}:8888`, `127.0.0.1:${own}`);
  }
  await writeFile(
    file,
    `${example.replace('bind :8888', `bind 127.0.0.1:${port}\n    http-response set-header X-Gateway %s`)}
frontend test-stats
    bind 127.0.0.1:${statsPort}
    stats enable
    stats uri /
`,
  );
  const haproxy = spawn(found.path, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  haproxy.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const end = (): void => void haproxy.kill('SIGKILL');
  process.once('exit', end);
  const ended = once(haproxy, 'exit');

  /** What HAProxy takes this gateway for, such as `UP` or `DOWN 1/2`. */
  async function stateOf(index: number): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${statsPort}/;csv`).catch(() => null);
    const lines = (await answer?.text())?.split('\n') ?? [];
    const line = lines.find((each) => each.startsWith(`gateways,gateway${index + 1},`));
    return line?.split(',')[17] ?? '';
  }
  const isUp = (index: number): Promise<void> => eventually(async () => (await stateOf(index)) === 'UP');

  const fails = ended.then(([code, signal]) =>
    Promise.reject(new Error(`HAProxy ended with ${code ?? signal}: ${said}`)),
  );
  fails.catch(() => {});
  try {
    await Promise.race([Promise.all(ports.map((_, index) => isUp(index))), fails]);
  } catch (error) {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    gateways,
    async restart(index) {
      const before = said.length;
      const code = await gateways[index]?.stop();
      if (code !== 0) throw new Error(`gateway ${index + 1} ended with ${code}`);
      const isDown = new RegExp(`gateway${index + 1} is DOWN, reason: ([^,]+)`);
      await eventually(async () => isDown.test(said.slice(before)));
      gateways[index] = await start(index);
      await isUp(index);
      return isDown.exec(said.slice(before))?.[1] ?? '';
    },
    async close() {
      end();
      await ended;
      process.off('exit', end);
      await Promise.all(gateways.map((gateway) => gateway.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
