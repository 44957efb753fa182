import { jdbcBodies, tierBodies } from './bodies.ts';
import type { Peer, Setup } from './peers/peer.ts';

export interface Workload {
  readonly name: string;
  readonly about: string;
  readonly setup: Setup;
  readonly method: 'GET' | 'POST';
  readonly target: string;
  readonly bodyBytes: number;
  readonly connections: number;
  /** What is sent by turns, in place of one body of `bodyBytes`. */
  readonly bodies?: readonly Buffer[];
  readonly contentType?: string;
  /** Requests a second that are due whatever becomes of those before them; without it, the next follows each answer. */
  readonly rate?: number;
  /** A connection for each request. */
  readonly close?: boolean;
  /** Who takes part: all, or this gateway alone, whose figures are then compared to its own `sql`. */
  readonly by?: 'gateway';
  /** Peers that are known not to keep up, or not to speak this. */
  readonly without?: readonly string[];
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
  {
    ...SQL,
    name: 'rate3k',
    about: 'sql as an open loop: 3,000 requests are due each second, whatever becomes of those before them',
    rate: 3_000,
  },
  {
    ...SQL,
    name: 'rate20k',
    about: 'the same with 20,000 a second, by those that can serve so many',
    rate: 20_000,
    without: ['router', 'http-proxy', 'front'],
  },
  {
    ...SQL,
    name: 'tls',
    about: 'sql over HTTPS (TLS 1.3, ECDSA P-256) on 64 kept connections; plain HTTP to the Brokers',
    setup: 'tls',
  },
  {
    ...SQL,
    name: 'handshakes',
    about: 'the same with a new connection, and a whole handshake, for each request',
    setup: 'tls',
    close: true,
  },
  {
    ...SQL,
    name: 'jdbc',
    about: 'Avatica fetches of 64 JDBC connections in JSON, answers of 500 B, 64 connections, two Brokers',
    target: '/druid/v2/sql/avatica/',
    bodies: jdbcBodies('json'),
    contentType: 'application/octet-stream',
    by: 'gateway',
  },
  {
    ...SQL,
    name: 'jdbcproto',
    about: 'the same in protobuf',
    target: '/druid/v2/sql/avatica-protobuf/',
    bodies: jdbcBodies('protobuf'),
    contentType: 'application/octet-stream',
    by: 'gateway',
  },
  {
    ...SQL,
    name: 'tiers',
    about:
      'sql with two tiers of two Brokers each, strategies and load rules on; every other query names its tier',
    setup: 'tiers',
    bodies: tierBodies(200),
    by: 'gateway',
  },
];

/** Whether a peer is measured under a workload. */
export function takes(
  peer: Pick<Peer, 'name' | 'setups' | 'workloads' | 'gateway'>,
  workload: Workload,
): boolean {
  const { name, setup, by, without = [] } = workload;
  if (!peer.setups.includes(setup) || without.includes(peer.name)) return false;
  return (by === undefined || peer.gateway) && (peer.workloads?.includes(name) ?? true);
}

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
