import type { Path } from './schema-walk.ts';

/** A flag of the command line that sets one key of the configuration. */
export interface Flag {
  readonly name: string;
  /** How its value looks, for the help. */
  readonly value: string;
  readonly path: Path;
  /** What it says, for the help; the default and the choices come from the schema. */
  readonly description: string;
}

/** All of them, in the order of the help. This file loads nothing: every start with a flag needs it. */
export const FLAGS = [
  {
    name: 'zookeeper',
    value: 'HOST:PORT[,HOST:PORT...][/chroot]',
    path: ['zookeeper', 'connect'],
    description: "where Druid's ZooKeeper is",
  },
  { name: 'listen', value: 'HOST:PORT', path: ['listen'], description: "for Druid's clients" },
  {
    name: 'admin',
    value: 'HOST:PORT',
    path: ['admin', 'listen'],
    description: 'for metrics, health and status',
  },
  {
    name: 'discovery',
    value: 'TYPE',
    path: ['discovery', 'type'],
    description: 'how the nodes of Druid are found',
  },
  { name: 'log-level', value: 'LEVEL', path: ['log', 'level'], description: 'the least that is logged' },
] as const satisfies readonly Flag[];

export type FlagName = (typeof FLAGS)[number]['name'];

/** What the command line can say besides which files to read. */
export type Flags = { readonly [N in FlagName]?: string };
