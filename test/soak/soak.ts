import { parseArgs } from 'node:util';
import { pause, type Scene, stage } from '../faults/scene.ts';
import { startProxy, type TcpProxy } from '../kit/net/tcp-proxy.ts';
import { drawFault, seeded } from './faults.ts';
import { check, type Entry, growth, type Sample } from './history.ts';
import { startLoad } from './load.ts';

/**
 * Random faults for a long time under steady load, and then the question whether anybody was lied to:
 * `npm run soak -- --minutes 20 --seed 1`. Needs the built program. Ends with 1 when something was wrong.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  process.stderr.write('soak: --minutes is a number above 0, --seed a whole number\n');
  process.exit(2);
}

const started = performance.now();
const say = (line: string): void => {
  const seconds = Math.round((performance.now() - started) / 1_000);
  process.stdout.write(`${String(seconds).padStart(5)} s  ${line}\n`);
};

/** Everything is as it should be again. */
async function calm({ gateway }: Scene): Promise<void> {
  await gateway.until(
    ({ leaders, brokers, discovery }) =>
      discovery.state === 'connected' &&
      leaders.coordinator.state === 'serving' &&
      leaders.overlord.state === 'serving' &&
      brokers.filter(({ ready }) => ready).length === 4,
  );
}

async function sample({ gateway }: Scene): Promise<Sample> {
  // What requests of before left behind is collected when there is need; a scrape or two makes some.
  await pause(3_000);
  return {
    rssBytes: await gateway.metric('process_resident_memory_bytes'),
    handles: await gateway.metric('process_open_fds'),
    watches: await gateway.metric('druid_gateway_zookeeper_watches'),
  };
}

async function run(): Promise<boolean> {
  let proxy: TcpProxy | null = null;
  const scene = await stage({
    servers: 3,
    roles: ['coordinator', 'coordinator', 'overlord', 'overlord', 'broker', 'broker', 'broker', 'broker'],
    keys: { HEALTH__OUTLIER__EJECTION: '1s', HEALTH__OUTLIER__MAX_EJECTION: '5s', PARKING__MAX_WAIT: '10s' },
    // Sometimes the link to a server of its own, so that only the gateway loses ZooKeeper.
    async zookeeper({ servers }) {
      proxy = await startProxy(servers[0]?.port ?? 0);
      return [`127.0.0.1:${proxy.port}`, ...servers.slice(1).map(({ port }) => `127.0.0.1:${port}`)].join();
    },
  });
  const link = proxy as TcpProxy | null;
  if (link === null) throw new Error('there is no proxy');
  await calm(scene);
  say(`seed ${seed}, ${minutes} minutes, gateway ${scene.gateway.pid}`);
  const random = seeded(seed);
  const history: Entry[] = [];
  const load = startLoad(scene, random, (entry) => history.push(entry));
  const end = performance.now() + minutes * 60_000;
  let early: Sample | null = null;
  while (performance.now() < end) {
    const fault = drawFault(random, scene, link);
    say(fault.name);
    await fault.run();
    await pause(random() * 3_000);
    if (early === null && performance.now() > end - minutes * 45_000) {
      await load.pause();
      await calm(scene);
      early = await sample(scene);
      say(`after a quarter: ${JSON.stringify(early)}`);
      load.resume();
    }
  }
  await load.stop();
  await calm(scene);
  const late = await sample(scene);
  say(`at the end: ${JSON.stringify(late)}`);
  const { violations, summary } = check(history, await scene.cluster.ledger());
  const found = [...violations, ...growth(early ?? late, late)];
  await scene.close();
  await link.close();
  for (const [outcome, count] of Object.entries(summary).toSorted())
    say(`${String(count).padStart(7)}  ${outcome}`);
  for (const violation of found.slice(0, 50)) say(`WRONG: ${violation}`);
  say(
    found.length === 0
      ? `nothing was wrong in ${history.length} requests`
      : `${found.length} things were wrong`,
  );
  return found.length === 0;
}

process.exit((await run()) ? 0 : 1);
