import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ingest, ingestionTask, waitForRows } from '../../tools/druid-cluster/dataset.ts';
import { launchChromium } from '../kit/clients/chromium.ts';
import { gatewayForDruid } from '../kit/druid/druid.ts';
import { isWhole, type RunningGateway } from '../kit/gateway/gateway-process.ts';

const TABLE = 'console_rows';

let gateway: RunningGateway;
let browser: Browser;
let page: Page;
/** What went wrong in the page: failed requests, answers of 4xx and 5xx, exceptions. */
const complaints: string[] = [];
/** Druid's answers for what this cluster does not have: no MSQ, no lookups, no compaction yet. */
const EXPECTED = [
  /^404 .*\/druid\/v2\/sql\/task\/enabled/,
  /^404 .*\/druid\/v2\/sql\/engines/,
  /^404 .*\/druid\/coordinator\/v1\/lookups\//,
  /^404 .*\/druid\/coordinator\/v1\/compaction\/status/,
];

beforeAll(async () => {
  gateway = await gatewayForDruid();
  await gateway.until(isWhole);
  const rows = [1, 2, 3].map((n) => ({ ts: `2024-01-0${n}T00:00:00Z`, name: `row-${n}` }));
  await ingest(gateway.url, ingestionTask(TABLE, rows, ['name']));
  await waitForRows(gateway.url, TABLE, rows.length);
  browser = await launchChromium();
  page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  page.on('requestfailed', (request) => {
    // A view that is left cancels what it had asked for.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') {
      complaints.push(`${request.failure()?.errorText} ${request.url()}`);
    }
  });
  page.on('response', (response) => {
    const line = `${response.status()} ${response.url()}`;
    if (response.status() >= 400 && !EXPECTED.some((expected) => expected.test(line))) complaints.push(line);
  });
  page.on('pageerror', (error) => complaints.push(error.message));
});

afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

test('the console opens from the root', async () => {
  await page.goto(gateway.url);
  await page.waitForURL(/unified-console\.html/);
  // The home view shows the version that /status tells, and counts that only both masters together know.
  await page.getByText(/Apache Druid is running version\s+33\.0\.0/).waitFor();
  await page
    .getByText(/\d+ datasources?/)
    .first()
    .waitFor();
});

test('datasources are listed', async () => {
  await page.goto(`${gateway.url}/unified-console.html#datasources`);
  await page.getByText(TABLE, { exact: true }).first().waitFor();
});

test('services are listed', async () => {
  await page.goto(`${gateway.url}/unified-console.html#services`);
  const { leaders, brokers } = await gateway.status();
  for (const node of [leaders.coordinator.node, leaders.overlord.node, ...brokers.map((b) => b.node)]) {
    await page.getByText(String(node)).first().waitFor();
  }
});

test('a query runs', async () => {
  await page.goto(`${gateway.url}/unified-console.html#workbench`);
  const editor = page.locator('.ace_text-input').first();
  await editor.waitFor({ state: 'attached' });
  await editor.focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(`SELECT name FROM ${TABLE} GROUP BY 1`);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByText('row-2').first().waitFor();
});

test('no request of the browser failed', () => {
  expect(complaints).toEqual([]);
});
