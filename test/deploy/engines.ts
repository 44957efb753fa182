import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { UpstreamNode } from '../../src/cluster/node.ts';
import { type FakeCluster, node, serving } from '../unit/admin/fakes.ts';

/** Nodes of Druid on all loopback addresses, at one port. Each says which one it is, and ends with a trailer. */
export async function loopbackNodes(): Promise<{ readonly port: number; at(address: string): UpstreamNode }> {
  const server = createServer((request, response) => {
    request.resume();
    // Checks of HAProxy are HTTP/1.0, which has no trailers.
    if (request.httpVersion === '1.0') return response.end();
    response.writeHead(200, { Trailer: 'X-Druid-Response-Complete' });
    response.write(request.socket.localAddress ?? '');
    response.addTrailers({ 'X-Druid-Response-Complete': 'true' });
    return response.end();
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, at: (address) => node(`${address}:${port}`) };
}

/** An engine's answer: the address of the node that gave it, if the status is 200. */
export interface Answer {
  readonly status: number;
  readonly from: string;
  readonly complete: boolean;
}

/** Asks an engine over connections that are kept. */
export function client(url: string): (path?: string, method?: string) => Promise<Answer> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return async (path = '/druid/v2/sql', method = 'POST') => {
    const request = get(url + path, { agent, method });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let from = '';
    for await (const piece of response.setEncoding('utf8')) from += piece;
    return {
      status: response.statusCode ?? 0,
      from,
      complete: response.trailers['x-druid-response-complete'] === 'true',
    };
  };
}

/** Starts a program that ends with the test. What it writes is shown if it ends before. */
export function startEngine(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
  }
  let wanted = false;
  child.on('exit', (code, signal) => {
    if (!wanted) process.stderr.write(`${program} ended (${code ?? signal}):\n${said}\n`);
  });
  onTestFinished(async () => {
    wanted = true;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

/**
 * Has two nodes take over the lead from each other while somebody asks all the time. Returns how long each swap took to
 * reach a request, in ms, the shortest first. Throws if a request that was sent after that reached the former leader.
 */
export async function swaps(
  cluster: FakeCluster,
  ask: () => Promise<Answer>,
  leaders: readonly [UpstreamNode, UpstreamNode],
  count: number,
): Promise<number[]> {
  const took: number[] = [];
  for (let term = 2; term < count + 2; term++) {
    const leader = leaders[term % 2 === 0 ? 0 : 1];
    const address = leader.hostAndPort.split(':')[0] ?? '';
    cluster.lead(serving('coordinator', leader, term));
    const began = performance.now();
    for (;;) {
      // The swap may cut a request to the former leader.
      const from = await ask().then((answer) => answer.from, String);
      if (from === address) break;
      if (performance.now() - began > 10_000) throw new Error(`term ${term} reaches no request: ${from}`);
    }
    took.push(performance.now() - began);
    for (let i = 0; i < 20; i++) {
      const { status, from } = await ask();
      if (status !== 200 || from !== address) throw new Error(`term ${term}: ${status} from ${from}`);
    }
  }
  return took.toSorted((a, b) => a - b);
}

/** Reports what was measured, in the log of the tests. */
export function report(what: string, took: readonly number[]): void {
  const at = (share: number): string => (took[Math.floor((took.length - 1) * share)] ?? 0).toFixed(1);
  process.stderr.write(
    `${what}: ${took.length} swaps, best ${at(0)} ms, median ${at(0.5)} ms, worst ${at(1)} ms\n`,
  );
}

/** A Broker of the default service, or another one. */
export function brokerAt(upstream: UpstreamNode, change: object = {}) {
  return {
    node: upstream,
    service: 'druid/broker',
    ready: true,
    cordoned: false,
    ejected: false,
    why: '',
    ...change,
  };
}
