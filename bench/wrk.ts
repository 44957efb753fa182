import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What one run of wrk did. */
export interface Load {
  readonly requests: number;
  readonly durationUs: number;
  readonly bytes: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of an open loop only. */
  readonly p999Us?: number;
  /** Answers with a status above 399. */
  readonly failed: number;
  /** Connections that were not made. */
  readonly refused: number;
  /** Connections that ended in the middle of something. */
  readonly cut: number;
  /** Answers that took longer than the time limit. */
  readonly late: number;
}

export interface LoadSpec {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly bodyBytes: number;
  readonly bodies?: readonly Buffer[];
  readonly contentType?: string;
  readonly close?: boolean;
  /** Requests a second, in an open loop; needs an address of IPv4 and answers with a length. */
  readonly rate?: number;
  readonly connections: number;
  readonly seconds: number;
  readonly core: number;
}

const CLOSED = fileURLToPath(new URL('wrk/load.lua', import.meta.url));
const OPEN = fileURLToPath(new URL('wrk/rate.lua', import.meta.url));
const JSON_TYPE = 'application/json';
const KEYS = [
  'requests',
  'durationUs',
  'bytes',
  'p50Us',
  'p99Us',
  'failed',
  'refused',
  'cut',
  'late',
] as const;

/** The line of JSON that both scripts end with. */
export function parseLoad(output: string): Load {
  const line = output.split('\n').findLast((candidate) => candidate.startsWith('{'));
  if (line === undefined) throw new Error(`wrk did not say what it did: ${output.slice(-300)}`);
  const load = JSON.parse(line) as Readonly<Record<string, unknown>>;
  for (const key of KEYS) {
    if (typeof load[key] !== 'number') throw new Error(`wrk did not say its ${key}: ${line}`);
  }
  return load as unknown as Load;
}

/** Requests that did not get a good answer. */
export function errorsOf({ failed, refused, cut, late }: Load): number {
  return failed + refused + cut + late;
}

/** Runs wrk with one thread, pinned to a core. */
export function runWrk(spec: LoadSpec, signal: AbortSignal): Promise<Load> {
  const args = [
    '-c',
    String(spec.core),
    'wrk',
    ...(spec.rate === undefined ? closedLoop(spec) : openLoop(spec, spec.rate)),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
    let output = '';
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => {
      try {
        if (code !== 0) throw new Error(`wrk ended with ${code}: ${output.slice(-300)}`);
        resolve(parseLoad(output));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** As fast as answers come. */
function closedLoop(spec: LoadSpec): string[] {
  const {
    url,
    method,
    bodyBytes,
    connections,
    seconds,
    bodies = [],
    contentType = JSON_TYPE,
    close = false,
  } = spec;
  return [
    ...['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', CLOSED, url, '--'],
    ...[method, String(bodyBytes), contentType, close ? 'close' : 'keep-alive'],
    ...bodies.map((body) => body.toString('hex')),
  ];
}

/** At a fixed rate; the script does without wrk's own connections. */
function openLoop({ url, method, bodyBytes, connections, seconds }: LoadSpec, rate: number): string[] {
  const { origin, hostname, port, pathname, search } = new URL(url);
  return [
    ...['-t1', '-c1', '-d1s', '-s', OPEN, origin, '--'],
    ...[hostname, port, String(rate), String(connections), String(seconds)],
    ...[method, pathname + search, String(bodyBytes)],
  ];
}
