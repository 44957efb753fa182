import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { placeFor, type Stage, startBehind } from './behind.ts';
import type { Options } from './options.ts';
import { createOwned } from './owned.ts';
import type { Peer, RunningPeer } from './peers/peer.ts';
import { usage } from './proc.ts';
import type { Memory, MemoryOfStart, Resident } from './results.ts';
import { median } from './stats.ts';
import type { Workload } from './workloads.ts';
import { runWrk } from './wrk.ts';

const SAMPLE_MS = 250;
/** After the start and after a load: what was begun ends, and buffers that are given back are gone. */
const CALM_MS = 1_500;
/** The first ones go into what the load has left free, so that they would cost nothing. */
const FIRST_CONNECTIONS = 2_000;
const CONNECTIONS = 4_000;
const MOST_STARTS = 3;

/**
 * What each peer holds: just ready, under `sql`, and with thousands of connections more that are idle. It is started
 * anew for each time, with nobody beside it; the Router is not asked, since it takes all of its heap at once.
 */
export async function measureMemory(
  peers: readonly Peer[],
  sql: Workload,
  options: Options,
  stage: Omit<Stage, 'owned'>,
  say: (line: string) => void,
): Promise<readonly Memory[]> {
  const outcome: Memory[] = [];
  for (const peer of peers) {
    if (!peer.setups.includes('relay') || peer.workloads !== undefined || peer.name === 'router') continue;
    const starts: MemoryOfStart[] = [];
    for (let i = 1; i <= Math.min(options.rounds, MOST_STARTS); i++) {
      stage.signal.throwIfAborted();
      const owned = createOwned();
      try {
        const place = await startBehind(`memory-${peer.name}-${i}`, 'relay', { ...stage, owned });
        const running = await peer.start('relay', await placeFor(peer.name, place));
        starts.push(await ofStart(running, sql, options, stage.signal));
      } finally {
        await owned.close();
      }
    }
    outcome.push({ peer: peer.name, starts });
    const middle = (bytes: (one: MemoryOfStart) => number): string =>
      (median(starts.map(bytes)) / 1e6).toFixed(1);
    say(
      `memory ${peer.name}: idle ${middle(({ idle }) => idle.rssBytes)} MB, ` +
        `sql ${middle(({ loaded }) => loaded.rssBytes)} MB`,
    );
  }
  return outcome;
}

async function ofStart(
  { process, url }: RunningPeer,
  sql: Workload,
  { seconds, cores }: Options,
  signal: AbortSignal,
): Promise<MemoryOfStart> {
  await sleep(CALM_MS, undefined, { signal });
  const idle = await usage(process.pid);
  let loaded: Resident = idle;
  const load = runWrk({ ...sql, url: url + sql.target, seconds, core: cores[1] }, signal);
  let over = false;
  const done = load.finally(() => {
    over = true;
  });
  while (!over) {
    loaded = larger(loaded, await usage(process.pid));
    await Promise.race([done, sleep(SAMPLE_MS, undefined, { signal })]);
  }
  await done;
  await sleep(CALM_MS, undefined, { signal });
  const sockets = await openIdle(url, sql, FIRST_CONNECTIONS);
  try {
    await sleep(CALM_MS, undefined, { signal });
    const before = await usage(process.pid);
    sockets.push(...(await openIdle(url, sql, CONNECTIONS)));
    await sleep(CALM_MS, undefined, { signal });
    const after = await usage(process.pid);
    if (sockets.some(({ readyState }) => readyState !== 'open')) {
      throw new Error(`${url} does not keep ${sockets.length} connections`);
    }
    return {
      idle: resident(idle),
      loaded: resident(loaded),
      perConnection: {
        rssBytes: (after.rssBytes - before.rssBytes) / CONNECTIONS,
        anonBytes: (after.anonBytes - before.anonBytes) / CONNECTIONS,
      },
    };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function resident({ rssBytes, anonBytes }: Resident): Resident {
  return { rssBytes, anonBytes };
}

function larger(one: Resident, other: Resident): Resident {
  return {
    rssBytes: Math.max(one.rssBytes, other.rssBytes),
    anonBytes: Math.max(one.anonBytes, other.anonBytes),
  };
}

/** Connections on each of which one request has been answered, one after the other. */
async function openIdle(
  url: string,
  { method, target, bodyBytes }: Workload,
  count: number,
): Promise<Socket[]> {
  const { hostname, port, host } = new URL(url);
  const body = JSON.stringify({ query: 'SELECT 1' }).padEnd(bodyBytes);
  const head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`;
  const request = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(request);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString('latin1').startsWith('HTTP/1.1 200 ')) {
      throw new Error(`not a good answer for an idle connection: ${answer.toString('latin1', 0, 200)}`);
    }
    socket.on('error', () => socket.destroy());
    // What comes after the first piece of the answer, and the end if the other side does not keep it.
    socket.resume();
  }
  return sockets;
}
