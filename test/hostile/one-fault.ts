import { afterEach, expect } from 'vitest';
import { plain, type Script } from '../kit/upstream/fake-upstream.ts';
import { type Client, connect } from './client.ts';
import { type Rig, type RigOptions, startRig } from './rig.ts';

export const DOORS = ['express', 'front'] as const;
/** Longer than any limit here. */
export const PATIENCE_MS = 15_000;
export const OK = plain('200 OK', ['Content-Type: application/json'], '[]');

/** A gateway for each test, which ends with it. */
export interface OneGateway {
  /** Cancels of queries are answered as Druid does, all else as the script says. */
  start(options: Omit<RigOptions, 'script'>, script: Script): Promise<Rig>;
  /** Methods and targets that nodes have seen of all but probes. */
  readonly seen: string[];
  /** Nobody else has noticed anything, and nothing is left. */
  allIsWell(): Promise<void>;
}

export function oneGateway(): OneGateway {
  let rig: Rig | null = null;
  const seen: string[] = [];
  afterEach(async () => {
    await rig?.close();
    rig = null;
    seen.length = 0;
  });
  return {
    seen,
    async start(options, script) {
      rig = await startRig({
        ...options,
        script(request, socket) {
          seen.push(`${request.method} ${request.target}`);
          if (request.method === 'DELETE') socket.write(plain('202 Accepted', [], ''));
          else script(request, socket);
        },
      });
      return rig;
    },
    async allIsWell() {
      expect.soft(await rig?.faults()).toEqual([]);
      expect.soft(await rig?.leftovers()).toEqual([]);
    },
  };
}

export async function connected(port: number, tls = false): Promise<Client> {
  const client = await connect(port, tls);
  if (client === null) throw new Error('the gateway does not listen any more');
  return client;
}

/** A whole request of a client that keeps its connection; text has one character an octet. */
export function request(line: string, headers: readonly string[], body = ''): Buffer {
  const lines = [`${line} HTTP/1.1`, 'Host: a', ...headers, `Content-Length: ${body.length}`, '', body];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** A node that thinks for so long. */
export function answersAfter(milliseconds: number): Script {
  return (_, socket) => {
    setTimeout(() => {
      if (socket.writable) socket.write(OK);
    }, milliseconds);
  };
}
