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

/** Of the responder's answer to `/druid/v2/sql?big`. */
export const BIG_ANSWER_BYTES = 64 * 1024 * 1024;
/** Where the responder says how many bytes of bodies it has had. */
export const RECEIVED = '/bench/received';

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

/** What moved while wrk ran. */
export interface Moved {
  readonly requests: number;
  /** Bytes of answers that wrk got, and of bodies that the responder got. */
  readonly answerBytes: number;
  readonly bodyBytes: number;
}

/**
 * How many requests that was. Where a single one is a good part of a run, those that were under way at its end count
 * by their bytes.
 */
export function served(workload: Workload, moved: Moved): number {
  if (workload.name === 'big') return moved.answerBytes / BIG_ANSWER_BYTES;
  if (workload.name === 'upload') return moved.bodyBytes / workload.bodyBytes;
  return moved.requests;
}
