import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { parseAnonymous, parseResident, parseStat, usage } from '../../../bench/proc.ts';

const STAT =
  '4242 (a (bad) name 7) S 1 4242 4242 0 -1 4194560 900 0 0 0 123 45 6 7 20 0 11 0 991 1000000 2000 18446744073709551615';

test('user and system time are found behind a name with blanks and parentheses', () => {
  expect(parseStat(STAT)).toBe((123 + 45) * 10_000);
  expect(() => parseStat('nonsense')).toThrow('/proc/PID/stat');
});

test('resident memory is read in bytes; a process without any has none', () => {
  expect(parseResident('Name:\tx\nVmHWM:\t  99 kB\nVmRSS:\t    12 kB\nThreads:\t1\n')).toBe(12 * 1024);
  expect(parseResident('Name:\tkthreadd\n')).toBe(0);
  expect(parseAnonymous('VmRSS:\t    12 kB\nRssAnon:\t     8 kB\nRssFile:\t     4 kB\n')).toBe(8 * 1024);
  expect(parseAnonymous('Name:\tkthreadd\n')).toBe(0);
});

test('what a child uses counts', async () => {
  const child = spawn('sh', [
    '-c',
    `${process.execPath} -e "for (let i = 0; i < 4e8; i++);console.log(1);setTimeout(()=>{}, 60000)" & echo $!; wait`,
  ]);
  const output: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => void output.push(text));
  while (output.join('').split('\n').length < 3) await once(child.stdout, 'data');
  const [grandchild] = output.join('').split('\n').map(Number);
  try {
    const { cpuUs, rssBytes, anonBytes } = await usage(child.pid ?? 0);
    expect(cpuUs).toBeGreaterThan(50_000);
    expect(rssBytes).toBeGreaterThan(20e6);
    expect(anonBytes).toBeGreaterThan(1e6);
    expect(anonBytes).toBeLessThan(rssBytes);
  } finally {
    if (grandchild !== undefined) process.kill(grandchild, 'SIGKILL');
    child.kill('SIGKILL');
  }
});
