import type { Setup } from './peers/peer.ts';

export interface Workload {
  readonly name: string;
  readonly about: string;
  readonly setup: Setup;
  readonly method: 'GET' | 'POST';
  readonly target: string;
  readonly bodyBytes: number;
  readonly connections: number;
}

const SQL = {
  setup: 'relay',
  method: 'POST',
  target: '/druid/v2/sql',
  bodyBytes: 200,
  connections: 64,
} as const;

/** In the order of the table's columns. */
export const WORKLOADS: readonly Workload[] = [
  {
    ...SQL,
    name: 'sql',
    about: 'POST of 200 B, answer of 500 B with its length, 64 connections, two Brokers',
  },
  {
    ...SQL,
    name: 'sqlc',
    about: 'the same, the answer chunked and with a trailer, as Druid sends it',
    target: '/druid/v2/sql?chunked',
  },
  {
    name: 'get1k',
    about: 'GET from the leading Coordinator, answer of 1 KB, 64 connections',
    setup: 'relay',
    method: 'GET',
    target: '/druid/coordinator/v1/datasources',
    bodyBytes: 0,
    connections: 64,
  },
  {
    name: 'redirect',
    about: 'a 307 to the leading Coordinator, 64 connections; nothing behind is asked',
    setup: 'redirect',
    method: 'GET',
    target: '/druid/coordinator/v1/datasources',
    bodyBytes: 0,
    connections: 64,
  },
  {
    ...SQL,
    name: 'big',
    about: 'the answer is 64 MB, 4 connections',
    target: '/druid/v2/sql?big',
    connections: 4,
  },
  {
    name: 'upload',
    about: 'POST of 10 MB to the leading Overlord, small answer, 8 connections',
    setup: 'relay',
    method: 'POST',
    target: '/druid/indexer/v1/task',
    bodyBytes: 10_000_000,
    connections: 8,
  },
  {
    ...SQL,
    name: 'brokers1000',
    about:
      'sql with 1,000 Brokers announced, all of which answer; whoever checks its servers checks them all',
    setup: 'brokers1000',
  },
];

const BIG_BYTES = 64 * 1024 * 1024;

/** Whole requests, or for answers so large that one of them is a good part of a run, as many as their bytes are. */
export function served(
  workload: Workload,
  load: { readonly requests: number; readonly bytes: number },
): number {
  return workload.name === 'big' ? load.bytes / BIG_BYTES : load.requests;
}
