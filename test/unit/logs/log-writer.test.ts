import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAccessLog } from '../../../src/logs/access-log.ts';
import { createLogWriter, type LogWriter } from '../../../src/logs/log-writer.ts';
import { createLogger, onLogError } from '../../../src/logs/logger.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { exchange } from '../admin/fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-log-'));
const fds: number[] = [];

const LINE = Buffer.from('line\n');

afterEach(() => {
  for (const fd of fds.splice(0)) closeSync(fd);
});

function open(file: string): number {
  const fd = openSync(file, 'w');
  fds.push(fd);
  return fd;
}

describe('a log writer', () => {
  test('writes everything in order, in the background and at the end', async () => {
    const file = join(folder, 'log');
    const errors: unknown[] = [];
    const writer = createLogWriter(open(file), (error) => errors.push(error));
    for (let i = 0; i < 100; i++) writer.write(Buffer.from(`${i}\n`));
    await writer.end();
    for (let i = 100; i < 200; i++) writer.write(Buffer.from(`${i}\n`));
    writer.flushSync();
    await writer.end();
    const lines = Array.from({ length: 200 }, (_, i) => `${i}\n`);
    expect(readFileSync(file, 'utf8')).toBe(lines.join(''));
    expect(errors).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  test('on a full disk loses lines, says so once, and ends', async () => {
    const errors: unknown[] = [];
    const writer = createLogWriter(open('/dev/full'), (error) => {
      errors.push(error);
      // As the line that tells of it.
      writer.write(Buffer.from('an internal error\n'));
    });
    for (let i = 0; i < 10; i++) writer.write(LINE);
    await writer.end();
    writer.write(LINE);
    writer.flushSync();
    await writer.end();
    expect(errors).toMatchObject([{ code: 'ENOSPC' }]);
  });

  test('keeps no more than it may for one that does not read', () => {
    const errors: unknown[] = [];
    const writer = createLogWriter(open('/dev/null'), (error) => errors.push(error));
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 16; i++) writer.write(piece);
    expect(errors).toEqual([]);
    for (let i = 0; i < 16; i++) writer.write(piece);
    expect(errors).toHaveLength(1);
    writer.flushSync();
    for (let i = 0; i < 16; i++) writer.write(piece);
    expect(errors).toHaveLength(1);
  });

  describe('whose reader is slow', () => {
    const MIB = Buffer.alloc(1024 * 1024, 'x');
    let fd: number;
    let errors: unknown[];
    let writer: LogWriter;

    beforeEach(() => {
      const pipe = join(mkdtempSync(join(tmpdir(), 'druid-gateway-pipe-')), 'log');
      execFileSync('mkfifo', [pipe]);
      // Both ends, of which neither blocks.
      fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
      fds.push(fd);
      errors = [];
      writer = createLogWriter(fd, (error) => errors.push(error));
    });

    /** Reads so much, or all that there is. */
    async function read(bytes = Number.POSITIVE_INFINITY): Promise<void> {
      const piece = Buffer.alloc(64 * 1024);
      let since = performance.now();
      for (let left = bytes; left > 0 && performance.now() - since < 500; ) {
        try {
          left -= readSync(fd, piece);
          since = performance.now();
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
    }

    test('loses what it cannot keep, and says so once until there is room again', async () => {
      for (let i = 0; i < 17; i++) writer.write(MIB);
      expect(errors).toHaveLength(1);
      for (let i = 0; i < 3; i++) {
        await read(2 * MIB.length);
        for (let j = 0; j < 3; j++) writer.write(MIB);
      }
      expect(errors).toHaveLength(1);
      await read();
      for (let i = 0; i < 17; i++) writer.write(MIB);
      expect(errors).toHaveLength(2);
      await read();
    });

    test('loses at the end what nobody takes, and says so', async () => {
      writer.write(MIB);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      writer.write(LINE);
      const began = performance.now();
      writer.flushSync();
      expect(performance.now() - began).toBeLessThan(500);
      expect(errors).toMatchObject([{ message: 'the log is not taken as fast as it is written' }]);
      await read();
    });
  });
});

test('a stream that throws costs the line, and neither whoever logs nor a request', () => {
  const errors = recordErrors();
  const stream = {
    write: () => {
      throw new Error('no disk');
    },
  };
  const logger = createLogger({ level: 'info', stream });
  onLogError(logger, (error) => errors.report('log', error));
  logger.info('line');
  createAccessLog(logger)(exchange());
  expect(errors.counts.log).toBe(2);
});

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

describe('a gateway whose standard error', () => {
  let child: ChildProcess | null = null;
  afterEach(() => child?.kill('SIGKILL'));

  async function begin(stderr: 'pipe' | number, workers: number): Promise<{ url: string; admin: string }> {
    const started = spawn(
      process.execPath,
      [MAIN, 'serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--discovery', 'static'],
      {
        stdio: ['ignore', 'pipe', stderr],
        env: {
          ...process.env,
          DRUID_GATEWAY__STATIC__BROKERS: 'http://127.0.0.1:1',
          DRUID_GATEWAY__PARKING__MAX_WAIT: '50ms',
          DRUID_GATEWAY__WORKERS: String(workers),
        },
      },
    );
    child = started;
    // A pipe whose other end is closed.
    started.stderr?.destroy();
    if (started.stdout === null) throw new Error('no standard output');
    const [line] = await once(createInterface(started.stdout), 'line');
    const [, url = '', admin = ''] = /serves on (\S+), admin on (\S+)$/.exec(String(line)) ?? [];
    return { url, admin };
  }

  async function lost(admin: string): Promise<number> {
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    const all = metrics.matchAll(/^druid_gateway_internal_errors_total\{place="log".*?\} (\d+)$/gm);
    return [...all].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  test.each([
    ['is full', 1],
    ['is full', 2],
    ['is closed', 1],
  ])('%s serves on, with %i workers, and ends when it is told to', async (how, workers) => {
    const { url, admin } = await begin(how === 'is full' ? open('/dev/full') : 'pipe', workers);
    let count = 0;
    while (count === 0) {
      const answer = await fetch(`${url}/druid/v2/sql`, { method: 'POST', body: '{}' });
      expect(answer.status).toBe(503);
      await answer.text();
      count = await lost(admin);
    }
    for (let i = 0; i < 20; i++) expect((await fetch(`${url}/druid/v2/datasources`)).status).toBe(503);
    expect(await lost(admin)).toBeLessThanOrEqual(count + workers);
    const exited = once(child ?? process, 'exit');
    child?.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  });
});
