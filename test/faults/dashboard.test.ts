import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../kit/clients/chromium.ts';
import { eventually, type Scene, stage } from './scene.ts';

let scene: Scene;
let browser: Browser;

beforeAll(async () => {
  scene = await stage({ roles: ['overlord', 'overlord'], keys: { WORKERS: '2' } });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await scene?.close();
});

test('an Overlord that dies is on the page within a second of its election, with the reads that waited', async () => {
  const { cluster, gateway } = scene;
  const [leader, next] = cluster.nodes;
  await gateway.until(({ leaders }) => leaders.overlord.node === leader?.hostAndPort);
  const page = await browser.newPage();
  await page.goto(gateway.admin);
  const shown = page.locator('tr[data-key="overlord"] [data-column="Node"]');
  await page.getByText('Live.', { exact: true }).waitFor();
  const traffic = scene.traffic('overlord', 50);
  await traffic.succeeded(50);
  await leader?.kill('SIGKILL');
  const { leaders } = await gateway.until((status) => {
    const { node, state } = status.leaders.overlord;
    return node === next?.hostAndPort && state === 'serving';
  });
  const elected = performance.now();
  await eventually(async () => (await shown.innerText()) === leaders.overlord.node);
  expect(performance.now() - elected).toBeLessThan(1_000);
  const row = page.locator('#terms-table tbody tr').first();
  const text = (column: string): Promise<string> => row.locator(`[data-column="${column}"]`).innerText();
  await eventually(async () => Number(await text('Waited')) > 0);
  expect(await text('Leader')).toBe(`${leader?.hostAndPort} to ${next?.hostAndPort}`);
  expect(await text('Gap before')).toMatch(/^\d+(\.\d)? s$/);
  expect(await text('Failed')).toBe('0');
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
});
