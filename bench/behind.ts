import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Writer } from '../test/kit/zookeeper/zookeeper-writer.ts';
import { startProcess } from '../tools/druid-cluster/managed-process.ts';
import { freePorts } from '../tools/druid-cluster/ports.ts';
import { answers200, waitFor } from '../tools/druid-cluster/wait.ts';
import { HOT_SERVICE } from './bodies.ts';
import type { Owned } from './owned.ts';
import type { Place, Setup } from './peers/peer.ts';
import { makeTls } from './tls.ts';

const UPSTREAM = fileURLToPath(new URL('upstream.ts', import.meta.url));

export interface Stage {
  readonly folder: string;
  readonly core: number;
  /** `host:port` of ZooKeeper, and a session that keeps announcements alive. */
  readonly zookeeper: string;
  readonly writer: Writer;
  readonly owned: Owned;
  readonly signal: AbortSignal;
}

const BROKERS: Readonly<Record<Setup, number>> = {
  relay: 2,
  redirect: 2,
  brokers1000: 1_000,
  tls: 2,
  tiers: 4,
};

/** Starts the responder with as many Brokers as the setup has, and announces them below a path of this name. */
export async function startBehind(name: string, setup: Setup, stage: Stage): Promise<Place> {
  const { folder, core, zookeeper, writer, owned, signal } = stage;
  const own = join(folder, name);
  await mkdir(own);
  const ports = await freePorts(BROKERS[setup]);
  const responder = await startProcess({
    name: 'the responder',
    command: process.execPath,
    args: [UPSTREAM, JSON.stringify(ports)],
    cwd: own,
    logFile: join(own, 'responder.log'),
  });
  owned.own(responder);
  const [first = 0, second = 0] = ports;
  await waitFor(
    'the responder',
    async () =>
      (await Promise.all(ports.map((port) => answers200(`http://127.0.0.1:${port}/status/health`)))).every(
        Boolean,
      ),
    { timeoutMs: 60_000, process: responder, signal },
  );
  const basePath = `/${name}`;
  await writer.elect(`${basePath}/coordinator/_COORDINATOR`, `http://127.0.0.1:${first}`);
  await writer.elect(`${basePath}/overlord/_OVERLORD`, `http://127.0.0.1:${second}`);
  const announced = `${basePath}/internal-discovery`;
  await writer.announce(`${announced}/COORDINATOR`, 'coordinator', first);
  await writer.announce(`${announced}/OVERLORD`, 'overlord', second);
  const hot = setup === 'tiers' ? ports.length / 2 : 0;
  for (const [i, port] of ports.entries()) {
    await writer.announce(`${announced}/BROKER`, 'broker', port, i < hot ? HOT_SERVICE : undefined);
  }
  return {
    folder: own,
    core,
    coordinators: [`127.0.0.1:${first}`],
    overlord: `127.0.0.1:${second}`,
    brokers: ports.map((port) => `127.0.0.1:${port}`),
    zookeeper: { connect: zookeeper, basePath },
    ...(setup === 'tls' ? { tls: await makeTls(own) } : {}),
    own: owned.own,
    signal,
  };
}

/** The same place with a folder for one peer. */
export async function placeFor(name: string, place: Place): Promise<Place> {
  const folder = join(place.folder, name);
  await mkdir(folder);
  return { ...place, folder };
}
