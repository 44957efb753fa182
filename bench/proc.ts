import { readdir, readFile } from 'node:fs/promises';

/** Ticks of user and system time in `/proc/PID/stat` are hundredths of a second on every Linux. */
const TICK_US = 10_000;

/** User and system time of a process, in microseconds, from the text of its `/proc/PID/stat`. */
export function parseStat(text: string): number {
  // The second field is the program's name in parentheses and may hold blanks and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error(`not the text of /proc/PID/stat: ${text.slice(0, 80)}`);
  return ticks * TICK_US;
}

/** Resident bytes of a process, from the text of its `/proc/PID/status`; 0 of one without memory. */
export function parseResident(text: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Those of them that are not mapped from files: what nobody else could share. */
export function parseAnonymous(text: string): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** A process, its children, theirs, and so on. */
async function tree(pid: number): Promise<number[]> {
  const found = [pid];
  for (const process of found) {
    for (const thread of await readdir(`/proc/${process}/task`)) {
      const children = await readFile(`/proc/${process}/task/${thread}/children`, 'utf8');
      found.push(...children.split(' ').filter(Boolean).map(Number));
    }
  }
  return found;
}

export interface Usage {
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly anonBytes: number;
}

/** What a process with its children has used of the processor, in microseconds, and what it holds, in bytes. */
export async function usage(pid: number): Promise<Usage> {
  let cpuUs = 0;
  let rssBytes = 0;
  let anonBytes = 0;
  for (const process of await tree(pid)) {
    cpuUs += parseStat(await readFile(`/proc/${process}/stat`, 'utf8'));
    const status = await readFile(`/proc/${process}/status`, 'utf8');
    rssBytes += parseResident(status);
    anonBytes += parseAnonymous(status);
  }
  return { cpuUs, rssBytes, anonBytes };
}
