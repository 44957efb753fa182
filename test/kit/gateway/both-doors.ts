import net from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { type FakeUpstream, type Script, startUpstream } from '../upstream/fake-upstream.ts';
import type { Door } from './door.ts';
import { type Harness, startHarness } from './gateway-harness.ts';

/** What became of the bytes that a client sent through a door. */
export interface Outcome {
  /** Requests as the node saw them: line, headers but generated ids, body. */
  readonly seen: readonly string[];
  /** What the client got. */
  readonly answers: string;
  readonly closed: boolean;
}

/** A gateway with one door, and the node behind it. */
interface Side {
  readonly door: Door;
  readonly gateway: Harness;
  readonly node: FakeUpstream;
  readonly sockets: Set<net.Socket>;
}

export interface BothDoors {
  /**
   * Sends the pieces, each in a write of its own, through both doors, until both outcomes are the same or stay apart.
   * `ends`: and nothing more, which the client says.
   */
  compare(pieces: readonly Buffer[], ends?: boolean): Promise<readonly [express: Outcome, front: Outcome]>;
  close(): Promise<void>;
}

/** Turns of the event loop in which nothing may move before a connection counts as quiet. */
const QUIET_TURNS = 8;
/** How long outcomes may differ: what is late on a loaded machine is not different. */
const PATIENCE_MS = 3_000;

const CLOSES = { connection: 'close' };

/** Two gateways that differ in nothing but their door. */
export async function startBothDoors(script: Script): Promise<BothDoors> {
  const sides = await Promise.all((['express', 'front'] as const).map((door) => startSide(door, script)));
  return {
    async compare(pieces, ends = false) {
      const runs = await Promise.all(sides.map((side) => startRun(side, pieces, ends)));
      const deadline = performance.now() + PATIENCE_MS;
      for (let pause = 1; ; pause = Math.min(50, pause * 2)) {
        for (const run of runs) await run.quiet();
        const [express, front] = runs.map((run) => run.outcome()) as [Outcome, Outcome];
        if (JSON.stringify(express) === JSON.stringify(front) || performance.now() > deadline) {
          await Promise.all(runs.map((run) => run.end()));
          return [express, front];
        }
        await sleep(pause);
      }
    },
    async close() {
      await Promise.all(
        sides.map(async ({ gateway, node }) => {
          await gateway.close();
          await node.close();
        }),
      );
    },
  };
}

async function startSide(door: Door, script: Script): Promise<Side> {
  const node = await startUpstream(script);
  const gateway = await startHarness({
    door,
    exchange: { cancelOnDisconnect: { native: false, sql: false } },
  });
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
  gateway.cluster.lead('overlord', node.origin);
  // The console's proxy is loaded for the first page, and meanwhile nothing moves.
  await (await fetch(`http://127.0.0.1:${gateway.port}/public/first`, { headers: CLOSES })).arrayBuffer();
  gateway.records.length = 0;
  const sockets = new Set<net.Socket>();
  gateway.door.app.server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return { door, gateway, node, sockets };
}

interface Run {
  /** Waits until nothing moves any more. */
  quiet(): Promise<void>;
  outcome(): Outcome;
  end(): Promise<void>;
}

async function startRun(
  { gateway, node, sockets }: Side,
  pieces: readonly Buffer[],
  ends: boolean,
): Promise<Run> {
  node.requests.length = 0;
  const client = net.connect({ port: gateway.port, host: '127.0.0.1', noDelay: true });
  const received: Buffer[] = [];
  let closed = false;
  client.on('data', (data: Buffer) => void received.push(data));
  client.on('error', () => {});
  client.on('close', () => {
    closed = true;
  });
  client.on('end', () => {
    closed = true;
  });
  for (const piece of pieces) {
    client.write(piece);
    await turn();
  }
  if (ends) client.end();
  const moved = (): string => {
    let bytes = client.bytesRead + client.bytesWritten;
    for (const socket of [...sockets, ...node.sockets]) bytes += socket.bytesRead + socket.bytesWritten;
    const [{ outstanding } = { outstanding: 0 }] = [...gateway.cluster.view.nodes.values()];
    const parts = [bytes, sockets.size, node.sockets.size, outstanding, gateway.records.length, closed];
    return parts.join(' ');
  };
  return {
    async quiet() {
      let last = '';
      for (let quiet = 0; quiet < QUIET_TURNS; ) {
        await turn();
        const now = moved();
        quiet = now === last && client.readyState !== 'opening' ? quiet + 1 : 0;
        last = now;
      }
    },
    outcome: () => ({
      seen: node.requests.map(({ method, target, lines, body, chunked }) =>
        [`${method} ${target}`, ...lines.filter(isMeant), chunked, body.toString('latin1')].join('\n'),
      ),
      answers: told(Buffer.concat(received)),
      closed,
    }),
    async end() {
      client.destroy();
      // What is left of this must not be taken for a part of the next.
      while (sockets.size > 0) await turn();
      for (const { outstanding } of gateway.cluster.view.nodes.values()) {
        if (outstanding !== 0) throw new Error(`${outstanding} requests are left`);
      }
      gateway.records.length = 0;
    },
  };
}

/** Ids that the gateways make up, and the nodes' own addresses, differ. */
function isMeant(line: string): boolean {
  return !/^(?:Host: 127\.0\.0\.1:\d+$|X-Request-Id: [\da-f]{12}-)/i.test(line);
}

/** What the client got, without what tells the time or counts. */
function told(raw: Buffer): string {
  return raw
    .toString('latin1')
    .replaceAll(/^Date: .*\r\n/gm, '')
    .replaceAll(/^Content-Length: \d+\r\n/gim, 'Content-Length: (n)\r\n')
    .replaceAll(/127\.0\.0\.1:\d+/g, '(node)')
    .replaceAll(/[\da-f]{12}-[\da-z]+/g, '(id)');
}
