import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach } from 'vitest';
import { type FakeUpstream, json, plain, startUpstream } from '../upstream/fake-upstream.ts';
import { type GatewayStatus, type RunningGateway, startFaultyGateway } from './gateway-process.ts';

/** A gateway of two workers before one Broker, from the sources, which each test starts by itself. */
export interface TwoWorkers {
  readonly druid: FakeUpstream;
  readonly gateway: RunningGateway;
  /** Requests for `SLOW` that the Broker has and does not answer until these are called. */
  readonly unanswered: (() => void)[];
  /** With these keys of the configuration, and a fault in all processes (`atFault`). */
  start(keys?: Readonly<Record<string, string>>, fault?: Readonly<Record<string, string>>): Promise<void>;
  /** On a connection of its own: what was answered, or that it was cut. */
  request(path?: string): Promise<string>;
  /** Sends requests that are not answered until each worker has one; the answers to come. */
  holdAll(): Promise<Promise<string>[]>;
  workers(): Promise<NonNullable<GatewayStatus['workers']>>;
  pids(): Promise<number[]>;
  /** The lines of the log with this message, once there are so many: they are written a moment later. */
  lines(message: string, count?: number): Promise<Record<string, unknown>[]>;
}

const FAST = '/druid/v2/datasources';
const SLOW = '/druid/v2/datasources/slow';
/** The metric that counts what `request` asks for. */
export const COUNT = 'druid_gateway_requests_total{role="broker",class="read",status="200"}';

/** To be called once in a file of tests: each of them gets its own, and has it ended. */
export function useTwoWorkers(): TwoWorkers {
  let druid: FakeUpstream;
  let gateway: RunningGateway;
  let unanswered: (() => void)[];

  beforeEach(async () => {
    unanswered = [];
    druid = await startUpstream(({ target }, socket) => {
      if (target.endsWith('/readiness')) socket.write(json(true));
      else if (target === '/status/ready') socket.write(plain('404 Not Found', [], ''));
      else if (target === SLOW) unanswered.push(() => socket.write(json('late')));
      else socket.write(json('now'));
    });
  });
  afterEach(async () => {
    for (const answer of unanswered) answer();
    await gateway.stop();
    await druid.close();
  });

  function request(path = FAST): Promise<string> {
    return new Promise((resolve) => {
      const sent = get(gateway.url + path, { agent: false });
      sent.once('error', () => resolve('cut'));
      sent.once('response', (response: IncomingMessage) =>
        text(response).then(resolve, () => resolve('cut')),
      );
    });
  }

  async function workers(): Promise<NonNullable<GatewayStatus['workers']>> {
    return (await gateway.status()).workers ?? [];
  }

  return {
    get druid() {
      return druid;
    },
    get gateway() {
      return gateway;
    },
    get unanswered() {
      return unanswered;
    },
    async start(keys = {}, fault = {}) {
      const settings = { WORKERS: '2', STATIC__BROKERS: druid.origin, LOG__ACCESS: 'false', ...keys };
      gateway = await startFaultyGateway(fault, settings, '--discovery', 'static');
      await gateway.until(({ brokers }) => brokers.some(({ ready }) => ready));
    },
    request,
    async holdAll() {
      const held: Promise<string>[] = [];
      const before = unanswered.length;
      while (!(await workers()).every(({ inFlight }) => inFlight > 0)) {
        held.push(request(SLOW));
        await until(() => unanswered.length === before + held.length);
      }
      return held;
    },
    workers,
    pids: async () => (await workers()).map(({ pid }) => pid ?? 0),
    async lines(message, count = 1) {
      const all = (): string[] =>
        gateway
          .log()
          .split('\n')
          .filter((line) => line.endsWith(`"msg":"${message}"}`));
      await until(() => all().length >= count);
      return all().map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Whether there is a process with this id. */
export function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
