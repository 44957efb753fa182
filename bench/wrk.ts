import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What one run of wrk did. */
export interface Load {
  readonly requests: number;
  readonly durationUs: number;
  readonly bytes: number;
  readonly p50Us: number;
  readonly p99Us: number;
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
  readonly connections: number;
  readonly seconds: number;
  readonly core: number;
}

const SCRIPT = fileURLToPath(new URL('wrk/load.lua', import.meta.url));
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

/** The line of JSON that `wrk/load.lua` ends with. */
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
  const { url, method, bodyBytes, connections, seconds, core } = spec;
  const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', SCRIPT, url];
  const args = ['-c', String(core), ...wrk, '--', method, String(bodyBytes)];
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
