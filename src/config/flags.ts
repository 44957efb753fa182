import type { Path } from './schema-walk.ts';

/** A flag of the command line that sets one key of the configuration. */
export interface Flag {
  readonly name: string;
  /** The form of the value, for the help. */
  readonly value: string;
  readonly path: Path;
  /** What the flag sets, for the help. Default and choices come from the schema. */
  readonly description: string;
}

/**
 * All flags, in the order of the help. This file imports no modules at run time, because every start with a flag
 * loads it.
 */
export const FLAGS = [
  {
    name: 'zookeeper',
    value: 'HOST:PORT[,HOST:PORT...][/chroot]',
    path: ['zookeeper', 'connect'],
    description: "where Druid's ZooKeeper is",
  },
  { name: 'listen', value: 'HOST:PORT', path: ['listen'], description: "for Druid's clients" },
  {
    name: 'base-path',
    value: 'PATH',
    path: ['listen', 'basePath'],
    description: 'what all paths of clients begin with, such as /druid-prod',
  },
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

/** Values of the flags given on the command line, besides the names of files to read. */
export type Flags = { readonly [N in FlagName]?: string };
