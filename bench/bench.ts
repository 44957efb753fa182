import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectWriter } from '../test/kit/zookeeper/zookeeper-writer.ts';
import { ensureZooKeeperJars } from '../tools/druid-cluster/artifacts.ts';
import { freePorts } from '../tools/druid-cluster/ports.ts';
import { startZooKeeperServer } from '../tools/druid-cluster/zookeeper-server.ts';
import { measureFailOver } from './fail-over.ts';
import { describeMachine } from './machine.ts';
import { type Options, parseOptions, WrongOption } from './options.ts';
import { createOwned } from './owned.ts';
import { PEERS } from './peers/all.ts';
import { outputOf, type Peer, type Setup } from './peers/peer.ts';
import { keep, publish } from './publish.ts';
import type { Measurement, PeerNote, Results } from './results.ts';
import { measureSetup } from './rounds.ts';
import { render } from './table.ts';
import { WORKLOADS } from './workloads.ts';

/** The gateway and its peers side by side on this machine; see docs/performance.md. Needs the built program. */

const began = performance.now();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(1);
    say('ending everything that was started; once more to kill it');
    stop.abort(new Error(`ended by ${signal}`));
  });
}

function say(line: string): void {
  const seconds = Math.round((performance.now() - began) / 1_000);
  process.stderr.write(`${String(seconds).padStart(5)} s  ${line}\n`);
}

async function choosePeers(
  names: readonly string[],
): Promise<{ readonly peers: readonly Peer[]; readonly leftOut: Results['leftOut'] }> {
  const peers: Peer[] = [];
  const leftOut: { name: string; why: string }[] = [];
  for (const peer of PEERS) {
    if (!names.includes(peer.name)) continue;
    const why = await peer.missing();
    if (why === null) peers.push(peer);
    else leftOut.push({ name: peer.name, why });
  }
  return { peers, leftOut };
}

async function needTools(): Promise<void> {
  for (const [command, ...args] of [
    ['taskset', '-V'],
    ['sh', '-c', 'command -v wrk'],
  ] as const) {
    try {
      if ((await outputOf(command, ...args)) !== null) continue;
    } catch {
      // Said below.
    }
    throw new WrongOption('taskset and wrk are needed; see docs/performance.md for what to install');
  }
}

async function run(options: Options): Promise<void> {
  await needTools();
  const { peers, leftOut } = await choosePeers(options.peers);
  for (const { name, why } of leftOut) say(`${name} is left out: ${why}`);
  const machine = await describeMachine();
  // Everything that is started from here on stays on this core, unless it is put on the other.
  await outputOf('taskset', '-a', '-c', '-p', String(options.cores[1]), String(process.pid));
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-bench-'));
  const owned = createOwned();
  try {
    const [port = 0] = await freePorts(1);
    const home = join(folder, 'zookeeper');
    await mkdir(home);
    owned.own(
      await startZooKeeperServer({
        folder: home,
        classPath: await ensureZooKeeperJars(say),
        port,
        signal: stop.signal,
      }),
    );
    const zookeeper = `127.0.0.1:${port}`;
    const writer = await connectWriter(zookeeper);
    const stage = { folder, core: options.cores[0], zookeeper, writer, signal: stop.signal };
    const workloads = WORKLOADS.filter(({ name }) => options.workloads.includes(name));
    const measurements: Measurement[] = [];
    for (const setup of ['relay', 'redirect', 'brokers1000'] as const) {
      const mine = workloads.filter((workload) => workload.setup === setup);
      if (mine.length === 0) continue;
      for (const group of groupsOf(setup, peers)) {
        const name = [setup, ...(group.length === 1 ? [group[0]?.name] : [])].join('-');
        measurements.push(...(await measureSetup(name, setup, group, mine, options, stage, say)));
      }
    }
    const failOver = options.elections === 0 ? [] : await measureFailOver(peers, options, stage, say);
    writer.close();
    const results: Results = {
      date: new Date().toISOString(),
      rounds: options.rounds,
      seconds: options.seconds,
      minutes: (performance.now() - began) / 60_000,
      machine,
      peers: await Promise.all(peers.map(noteOf)),
      leftOut,
      workloads: workloads.map(({ name, about }) => ({ name, about })),
      measurements,
      failOver,
    };
    await show(results, options);
  } finally {
    await owned.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Who is up at the same time. With 1,000 Brokers everybody is alone: those who check them all would take the core from
 * each other, and the responder from all.
 */
function groupsOf(setup: Setup, peers: readonly Peer[]): readonly (readonly Peer[])[] {
  const mine = peers.filter(({ setups }) => setups.includes(setup));
  return setup === 'brokers1000' ? mine.map((peer) => [peer]) : [mine];
}

async function noteOf({ name, about, version }: Peer): Promise<PeerNote> {
  return { name, version: await version(), about };
}

async function show(results: Results, options: Options): Promise<void> {
  const markdown = render(results);
  process.stdout.write(`${markdown}\n`);
  for (const file of await keep(results, markdown)) say(`written: ${file}`);
  if (options.publish) await publish(results, markdown);
}

try {
  await run(
    parseOptions(process.argv.slice(2), {
      peers: PEERS.map(({ name }) => name),
      workloads: WORKLOADS.map(({ name }) => name),
    }),
  );
  process.exit(0);
} catch (error) {
  const { message, stack } = (stop.signal.aborted ? stop.signal.reason : error) as Error;
  process.stderr.write(`bench: ${stop.signal.aborted || error instanceof WrongOption ? message : stack}\n`);
  process.exit(error instanceof WrongOption ? 2 : 1);
}
