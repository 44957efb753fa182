import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ingest, ingestionTask, waitForRows } from '../../tools/druid-cluster/dataset.ts';
import { launchChromium } from '../kit/clients/chromium.ts';
import { gatewayForDruid } from '../kit/druid/druid.ts';
import { isWhole, type RunningGateway } from '../kit/gateway/gateway-process.ts';
import { type Ingress, startIngress } from '../kit/net/ingress.ts';

const TABLE = 'console_rows';

let atRoot: RunningGateway;
/** Each stands for a cluster of its own. */
let below: readonly RunningGateway[];
let ingress: Ingress;
let browser: Browser;
/** Druid's answers for what this cluster does not have: no MSQ, no lookups, no compaction yet. */
const EXPECTED = [
  /^404 .*\/druid\/v2\/sql\/task\/enabled/,
  /^404 .*\/druid\/v2\/sql\/engines/,
  /^404 .*\/druid\/coordinator\/v1\/lookups\//,
  /^404 .*\/druid\/coordinator\/v1\/compaction\/status/,
];

beforeAll(async () => {
  [atRoot, ...below] = await Promise.all([
    gatewayForDruid(),
    gatewayForDruid('--base-path', '/druid-a'),
    gatewayForDruid('--base-path', '/druid-b/eu'),
  ]);
  await Promise.all([atRoot, ...below].map((gateway) => gateway.until(isWhole)));
  ingress = await startIngress(...below.map(({ url }) => url));
  const rows = [1, 2, 3].map((n) => ({ ts: `2024-01-0${n}T00:00:00Z`, name: `row-${n}` }));
  await ingest(atRoot.url, ingestionTask(TABLE, rows, ['name']));
  await waitForRows(atRoot.url, TABLE, rows.length);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await ingress?.close();
  await Promise.all([atRoot, ...(below ?? [])].map((gateway) => gateway?.stop()));
});

describe.each([
  ['at the root', () => atRoot.url],
  ['below a path', () => below[0]?.url ?? ''],
  ['beside another one behind an ingress', () => `${ingress.url}/druid-b/eu`],
])('the console %s', (_, place) => {
  let url: string;
  let page: Page;
  /** What went wrong in the page: failed requests, answers of 4xx and 5xx, requests elsewhere, exceptions. */
  const complaints: string[] = [];

  beforeAll(async () => {
    url = place();
    page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    page.on('request', (request) => {
      const asked = request.url();
      if (asked.startsWith(new URL(url).origin) && !`${asked}/`.startsWith(`${url}/`))
        complaints.push(`elsewhere: ${asked}`);
    });
    page.on('requestfailed', (request) => {
      // A view that is left cancels what it had asked for.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') {
        complaints.push(`${request.failure()?.errorText} ${request.url()}`);
      }
    });
    page.on('response', (response) => {
      const line = `${response.status()} ${response.url()}`;
      if (response.status() >= 400 && !EXPECTED.some((expected) => expected.test(line)))
        complaints.push(line);
    });
    page.on('pageerror', (error) => complaints.push(error.message));
  });

  afterAll(async () => {
    await page?.close();
  });

  test('opens', async () => {
    await page.goto(url);
    await page.waitForURL(`${url}/unified-console.html`);
    // The home view shows the version that /status tells, and counts that only both masters together know.
    await page.getByText(/Apache Druid is running version\s+33\.0\.0/).waitFor();
    await page
      .getByText(/\d+ datasources?/)
      .first()
      .waitFor();
  });

  test('lists datasources', async () => {
    await page.goto(`${url}/unified-console.html#datasources`);
    await page.getByText(TABLE, { exact: true }).first().waitFor();
  });

  test('lists services', async () => {
    await page.goto(`${url}/unified-console.html#services`);
    const { leaders, brokers } = await atRoot.status();
    for (const node of [leaders.coordinator.node, leaders.overlord.node, ...brokers.map((b) => b.node)]) {
      await page.getByText(String(node)).first().waitFor();
    }
  });

  test('shows the pictures of what can be loaded', async () => {
    await page.goto(`${url}/unified-console.html#streaming-data-loader`);
    const kafka = page.locator('img[src$="/assets/kafka.png"]');
    await kafka.waitFor();
    await page.waitForFunction(
      '[...document.images].every((image) => image.complete && image.naturalWidth > 0)',
    );
  });

  test('runs a query', async () => {
    await page.goto(`${url}/unified-console.html#workbench`);
    const editor = page.locator('.ace_text-input').first();
    await editor.waitFor({ state: 'attached' });
    await editor.focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(`SELECT name FROM ${TABLE} GROUP BY 1`);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByText('row-2').first().waitFor();
  });

  test('has no request that failed', () => {
    expect(complaints).toEqual([]);
  });
});

test('consoles at one host remember nothing of each other', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const remembered: string[][] = [];
  for (const { url } of below) {
    await page.goto(`${ingress.url}${new URL(url).pathname}/unified-console.html#workbench`);
    await page.locator('.ace_text-input').first().waitFor({ state: 'attached' });
    await page.waitForFunction(() => localStorage.length > 0);
    remembered.push(
      await page.evaluate(() => Object.keys(localStorage).map((key) => key.split(':')[0] ?? '')),
    );
  }
  await context.close();
  const [first = [], both = []] = remembered;
  expect([...new Set(first)]).toEqual(['/druid-a']);
  expect([...new Set(both)].toSorted()).toEqual(['/druid-a', '/druid-b/eu']);
  expect(ingress.lost).toEqual([]);
});
