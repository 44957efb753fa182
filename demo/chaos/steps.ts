import { setTimeout as sleep } from 'node:timers/promises';
import type { EnsembleServer } from '../../tools/druid-cluster/zookeeper-ensemble.ts';
import { BROKERS, GATEWAY, ZOOKEEPERS } from '../ha/ha-cluster.ts';
import type { PostgresqlPair } from '../ha/postgresql-pair.ts';
import type { Master, Scene } from './scene.ts';

/** Something that is broken now. */
export interface Broken {
  /** For the table: `coordinator-1 (leads) killed`. */
  readonly what: string;
  /** Resolves when the cluster has dealt with it, as far as it can. */
  dealtWith(): Promise<void>;
  /** Puts it right again; also when `dealtWith` was not waited for. */
  mend(): Promise<void>;
}

export interface Step {
  /** What is going to be broken. */
  readonly name: string;
  breakIt(scene: Scene): Promise<Broken>;
}

/** A manager of PostgreSQL takes a while to be sure that a primary is gone. */
const NOTICED_MS = 3_000;
/** Longer than sessions with ZooKeeper last. */
const CUT_MS = 8_000;

/** Everything that is broken, in this order. */
export const STEPS: readonly Step[] = [
  master('coordinator', 'killed'),
  master('overlord', 'killed'),
  master('coordinator', 'ended'),
  master('overlord', 'ended'),
  master('coordinator', 'frozen'),
  master('overlord', 'frozen'),
  master('coordinator', 'cut off from ZooKeeper'),
  master('overlord', 'cut off from ZooKeeper'),
  zookeeper('follower', 'killed'),
  zookeeper('leader', 'killed'),
  zookeeper('leader', 'frozen'),
  {
    name: 'gateway cut off from ZooKeeper',
    async breakIt(scene) {
      const link = scene.cluster.link(GATEWAY);
      link.cut();
      return {
        what: this.name,
        async dealtWith() {
          await scene.until('the gateway to notice', ({ discovery }) => discovery.state !== 'connected');
          await sleep(CUT_MS);
        },
        mend: async () => link.restore(),
      };
    },
  },
  broker('killed'),
  broker('ended'),
  broker('frozen'),
  postgresql({
    name: 'PostgreSQL primary killed, standby promoted',
    what: ({ primaryName, standbyName }) => `${primaryName} (primary) killed, ${standbyName} promoted`,
    breakIt: (pair) => pair.killPrimary(),
    answer: (pair) => pair.failOver(),
  }),
  postgresql({
    name: 'PostgreSQL primary cut off, ended, standby promoted',
    what: ({ primaryName, standbyName }) => `${primaryName} (primary) cut off, ${standbyName} promoted`,
    breakIt: async (pair) => pair.cutPrimaryOff(),
    answer: (pair) => pair.failOver(),
  }),
  postgresql({
    name: 'PostgreSQL standby killed',
    what: ({ standbyName }) => `${standbyName} (standby) killed`,
    breakIt: (pair) => pair.killStandby(),
    answer: (pair) => pair.releasePrimary(),
  }),
];

/** The step of this name; throws when there is none. */
export function stepNamed(name: string): Step {
  const step = STEPS.find((one) => one.name === name);
  if (step === undefined) throw new Error(`there is no step ${name}`);
  return step;
}

interface PostgresqlStep {
  readonly name: string;
  /** Asked before it is broken: names change places. */
  readonly what: (pair: PostgresqlPair) => string;
  readonly breakIt: (pair: PostgresqlPair) => Promise<unknown>;
  /** What a manager of PostgreSQL does once it is sure. */
  readonly answer: (pair: PostgresqlPair) => Promise<unknown>;
}

function postgresql({ name, what, breakIt, answer }: PostgresqlStep): Step {
  return {
    name,
    async breakIt({ cluster: { postgresql: pair } }) {
      const broken = what(pair);
      await breakIt(pair);
      return {
        what: broken,
        async dealtWith() {
          await sleep(NOTICED_MS);
          await answer(pair);
        },
        mend: () => pair.repair(),
      };
    },
  };
}

function master(role: Master, how: 'killed' | 'ended' | 'frozen' | 'cut off from ZooKeeper'): Step {
  return {
    name: `leading ${titleOf(role)} ${how}`,
    async breakIt(scene) {
      const leader = await scene.leader(role);
      const { name, process } = leader;
      const { druid } = scene.cluster;
      if (how === 'killed') process.kill('SIGKILL');
      if (how === 'ended') process.kill('SIGTERM');
      if (how === 'frozen') process.kill('SIGSTOP');
      if (how === 'cut off from ZooKeeper') scene.cluster.link(name).cut();
      return {
        what: `${name} (leads) ${how}`,
        dealtWith: () => scene.succeeded(role, leader),
        async mend() {
          if (how === 'frozen') process.kill('SIGCONT');
          else if (how === 'cut off from ZooKeeper') scene.cluster.link(name).restore();
          else {
            await process.ended;
            await druid.restart(name);
          }
        },
      };
    },
  };
}

function broker(how: 'killed' | 'ended' | 'frozen'): Step {
  return {
    name: `Broker ${how}`,
    async breakIt(scene) {
      const { druid } = scene.cluster;
      const { name, process } = druid.node('broker-1');
      process.kill(how === 'killed' ? 'SIGKILL' : how === 'ended' ? 'SIGTERM' : 'SIGSTOP');
      return {
        what: `${name} ${how}`,
        dealtWith: () => scene.brokers(BROKERS - 1),
        async mend() {
          if (how === 'frozen') process.kill('SIGCONT');
          else {
            await process.ended;
            await druid.restart(name);
          }
        },
      };
    },
  };
}

function zookeeper(mode: 'leader' | 'follower', how: 'killed' | 'frozen'): Step {
  return {
    name: `ZooKeeper ${mode} ${how}`,
    async breakIt(scene) {
      const { ensemble } = scene.cluster;
      const server = await serverOf(ensemble.servers, mode);
      await server.kill(how === 'killed' ? 'SIGKILL' : 'SIGSTOP');
      return {
        what: `${server.name} (${mode}) ${how}`,
        async dealtWith() {
          await ensemble.serving(ZOOKEEPERS - 1);
          // Who was connected to it looks for another one, and its sessions end if that takes too long.
          await sleep(CUT_MS);
          await Promise.all([scene.leader('coordinator'), scene.leader('overlord')]);
        },
        async mend() {
          if (how === 'frozen') await server.kill('SIGCONT');
          else await server.start();
          await ensemble.serving(ZOOKEEPERS);
        },
      };
    },
  };
}

async function serverOf(servers: readonly EnsembleServer[], mode: string): Promise<EnsembleServer> {
  for (const server of servers) if ((await server.mode()) === mode) return server;
  throw new Error(`no ZooKeeper server is the ${mode}`);
}

function titleOf(role: Master): string {
  return role === 'coordinator' ? 'Coordinator' : 'Overlord';
}
