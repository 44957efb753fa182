import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchFiles } from '../../../src/config/file-watch.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';

let folder: string;
let changes: number;
let stop: (() => void) | null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'druid-gateway-watch-'));
  changes = 0;
  stop = null;
});
afterEach(() => {
  stop?.();
  rmSync(folder, { recursive: true });
});

const at = (name: string): string => join(folder, name);

/** Watches a file; resolves when it has been looked at once. */
async function watch(file: string, intervalMs = 20): Promise<void> {
  let looks = 0;
  stop = watchFiles({
    files() {
      looks++;
      return [file];
    },
    intervalMs,
    onChange: () => void changes++,
    errors: recordErrors(),
  });
  await until(() => looks === 2);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

test('a file that is written, replaced, removed or there again has changed each time', async () => {
  const file = at('gateway.yaml');
  writeFileSync(file, 'a');
  await watch(file);
  writeFileSync(file, 'b');
  await until(() => changes === 1);
  writeFileSync(at('new'), 'b');
  renameSync(at('new'), file);
  await until(() => changes === 2);
  rmSync(file);
  await until(() => changes === 3);
  writeFileSync(file, 'b');
  await until(() => changes === 4);
});

test('a link that is swapped somewhere in the path is a change, as in a volume of Kubernetes', async () => {
  for (const version of ['1', '2']) {
    mkdirSync(at(version));
    writeFileSync(join(at(version), 'gateway.yaml'), version);
  }
  symlinkSync('1', at('..data'));
  symlinkSync(join('..data', 'gateway.yaml'), at('gateway.yaml'));
  await watch(at('gateway.yaml'));
  symlinkSync('2', at('..data_tmp'));
  renameSync(at('..data_tmp'), at('..data'));
  await until(() => changes === 1);
});

test('nothing has changed while nothing is written, nor while a file is being written', async () => {
  const file = at('gateway.yaml');
  writeFileSync(file, 'a');
  await watch(file, 300);
  expect(changes).toBe(0);
  // Each look finds it longer than the one before.
  for (let i = 0; i < 120; i++) {
    writeFileSync(file, 'a'.repeat(i + 2));
    await sleep(10);
  }
  expect(changes).toBe(0);
  await until(() => changes === 1);
});

test('after the end nothing is told, also of a change that was just seen', async () => {
  const file = at('gateway.yaml');
  writeFileSync(file, 'a');
  await watch(file);
  writeFileSync(file, 'b');
  stop?.();
  await sleep(100);
  expect(changes).toBe(0);
});
