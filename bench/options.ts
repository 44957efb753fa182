import { parseArgs } from 'node:util';

export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly string[];
  readonly workloads: readonly string[];
  /** Elections to sit through; 0 leaves fail-over out. */
  readonly elections: number;
  /** Whether memory is measured. */
  readonly memory: boolean;
  /** How often each build of the gateway is started; 0 leaves it out. */
  readonly starts: number;
  /** Whether a real Druid is measured. */
  readonly druid: boolean;
  /** The core of the proxies, and the one of everything else. */
  readonly cores: readonly [proxy: number, rest: number];
  /** Multiplies every peer's warm-up. */
  readonly warmUp: number;
  /** Puts the outcome into `docs/`. */
  readonly publish: boolean;
}

/** What is wrong with the command line, for people. */
export class WrongOption extends Error {}

/** What is chosen like a workload and measured in a way of its own. */
const KINDS = ['failover', 'memory', 'start', 'druid'] as const;

/** `failover` among the workloads stands for the elections. */
export function parseOptions(
  args: readonly string[],
  known: { readonly peers: readonly string[]; readonly workloads: readonly string[] },
): Options {
  const values = parse(args);
  const all = chosen('workloads', values.workloads, [...known.workloads, ...KINDS]);
  const has = (kind: (typeof KINDS)[number]): boolean => all.includes(kind);
  const quick = values.quick === true;
  const elections = number('elections', values.elections ?? (quick ? '2' : '7'), 0);
  const starts = number('starts', values.starts ?? (quick ? '3' : '15'), 0);
  const cores = (values.cores ?? '0,1').split(',').map(Number);
  const [proxy, rest] = cores;
  if (cores.length !== 2 || !isCore(proxy) || !isCore(rest) || proxy === rest)
    throw new WrongOption('--cores is two different numbers such as 0,1');
  return {
    rounds: number('rounds', values.rounds ?? (quick ? '1' : '5'), 1),
    seconds: number('seconds', values.seconds ?? (quick ? '2' : '4'), 1),
    peers: chosen('peers', values.peers, known.peers),
    workloads: known.workloads.filter((name) => all.includes(name)),
    elections: has('failover') ? elections : 0,
    memory: has('memory'),
    starts: has('start') ? starts : 0,
    druid: has('druid'),
    cores: [proxy, rest],
    warmUp: quick ? 0.2 : 1,
    publish: values.publish === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        peers: { type: 'string' },
        workloads: { type: 'string' },
        elections: { type: 'string' },
        starts: { type: 'string' },
        cores: { type: 'string' },
        quick: { type: 'boolean' },
        publish: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new WrongOption((error as Error).message);
  }
}

function isCore(core: number | undefined): core is number {
  return core !== undefined && Number.isInteger(core) && core >= 0;
}

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new WrongOption(`--${name} is a whole number from ${least}`);
  return value;
}

/** The names of a list with commas, in the order in which they are known; all without a list. */
function chosen(name: string, list: string | undefined, known: readonly string[]): string[] {
  if (list === undefined) return [...known];
  const wanted = new Set(list.split(','));
  for (const one of wanted) {
    if (!known.includes(one)) throw new WrongOption(`--${name}: ${one} is none of ${known.join(', ')}`);
  }
  return known.filter((one) => wanted.has(one));
}
