import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectWriter } from '../test/kit/zookeeper/zookeeper-writer.ts';
import { ensureZooKeeperJars } from '../tools/druid-cluster/artifacts.ts';
import { freePorts } from '../tools/druid-cluster/ports.ts';
import { startZooKeeperServer } from '../tools/druid-cluster/zookeeper-server.ts';
import { say, stopSignal } from './console.ts';
import { measureDruid, missingForDruid } from './druid.ts';
import { measureFailOver } from './fail-over.ts';
import { describeMachine } from './machine.ts';
import { measureMemory } from './memory.ts';
import { type Options, parseOptions, WrongOption } from './options.ts';
import { createOwned } from './owned.ts';
import { PEERS } from './peers/all.ts';
import { outputOf, type Peer } from './peers/peer.ts';
import { keep, publish } from './publish.ts';
import type { Floor, Measurement, PeerNote, Results, WorkloadNote } from './results.ts';
import { type Group, measureSetups } from './rounds.ts';
import { measureStarts } from './start.ts';
import { render } from './table.ts';
import { takes, WORKLOADS, type Workload } from './workloads.ts';

/** The gateway and its peers side by side on this machine; see docs/performance.md. Needs the built program. */

const signal = stopSignal();

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
  if (
    options.workloads.some((name) => setupOf(name) === 'tls') &&
    (await outputOf('openssl', 'version')) === null
  ) {
    throw new WrongOption('openssl is needed for the workloads with TLS');
  }
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
        signal,
      }),
    );
    const zookeeper = `127.0.0.1:${port}`;
    const writer = await connectWriter(zookeeper);
    const stage = { folder, core: options.cores[0], zookeeper, writer, signal };
    const workloads = WORKLOADS.filter(({ name }) => options.workloads.includes(name));
    const measurements: Measurement[] = [];
    const floor: Floor[] = [];
    for (const group of groupsOf(peers, workloads, options.rounds)) {
      const measured = await measureSetups(group, options, stage, say);
      measurements.push(...measured.measurements);
      floor.push(...measured.floor);
    }
    const sql = WORKLOADS.find(({ name }) => name === 'sql');
    const memory = options.memory && sql ? await measureMemory(peers, sql, options, stage, say) : [];
    const starts = options.starts === 0 ? [] : await measureStarts(peers, options, stage, say);
    const failOver = options.elections === 0 ? [] : await measureFailOver(peers, options, stage, say);
    const noDruid = options.druid ? await missingForDruid() : null;
    if (noDruid !== null) say(`a real Druid is left out: ${noDruid}`);
    const druid = options.druid && noDruid === null ? await measureDruid(peers, options, stage, say) : [];
    writer.close();
    const results: Results = {
      date: new Date().toISOString(),
      rounds: options.rounds,
      seconds: options.seconds,
      minutes: performance.now() / 60_000,
      machine,
      peers: await Promise.all(peers.map(noteOf)),
      leftOut,
      workloads: workloads.map(noteOfWorkload),
      measurements,
      floor,
      failOver,
      memory,
      starts,
      druid,
    };
    await show(results, options);
  } finally {
    await owned.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const setupOf = (workload: string): string | undefined =>
  WORKLOADS.find(({ name }) => name === workload)?.setup;

/**
 * What is measured by turns, and who is up at the same time. With 1,000 Brokers everybody is alone, and started anew for
 * each round: those who check them all would take the core from each other, and the responder from all.
 */
function groupsOf(peers: readonly Peer[], workloads: readonly Workload[], count: number): readonly Group[] {
  const rounds = Array.from({ length: count }, (_, i) => i + 1);
  const alone = workloads.filter(({ setup }) => setup === 'brokers1000');
  const together = workloads.filter(({ setup }) => setup !== 'brokers1000');
  const those = peers.filter((peer) => alone.some((workload) => takes(peer, workload)));
  return [
    ...(together.length === 0
      ? []
      : [{ name: (setup: string) => setup, peers, workloads: together, rounds }]),
    ...rounds.flatMap((round) =>
      those.map((peer) => ({
        name: (setup: string) => `${setup}-${peer.name}-${round}`,
        peers: [peer],
        workloads: alone,
        rounds: [round],
      })),
    ),
  ];
}

function noteOfWorkload({ name, about, rate, by }: Workload): WorkloadNote {
  return { name, about, ...(rate === undefined ? {} : { rate }), ...(by === undefined ? {} : { by }) };
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
  const { message, stack } = (signal.aborted ? signal.reason : error) as Error;
  process.stderr.write(`bench: ${signal.aborted || error instanceof WrongOption ? message : stack}\n`);
  process.exit(error instanceof WrongOption ? 2 : 1);
}
