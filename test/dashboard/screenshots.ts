import { fileURLToPath } from 'node:url';
import type { BrowserContextOptions } from 'playwright-core';
import { launchChromium } from '../kit/clients/chromium.ts';
import { Scene } from './scene.ts';

/** Makes the pictures of the dashboard in docs/images, of a cluster in which a little of everything goes on. */

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url));
/** Long enough for charts with something in them. */
const RECORD_MS = 90_000;

const PICTURES: readonly (readonly [file: string, options: BrowserContextOptions])[] = [
  ['dashboard.png', { viewport: { width: 1200, height: 1300 }, colorScheme: 'light' }],
  ['dashboard-dark.png', { viewport: { width: 1200, height: 1300 }, colorScheme: 'dark' }],
  ['dashboard-phone.png', { viewport: { width: 390, height: 844 }, colorScheme: 'light' }],
];

const scene = await new Scene({ brokers: 5 }).listen();
const ago = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString();
scene.addTerm({ role: 'coordinator', node: 'coordinator-1:8081', from: ago(7_000), term: 12 });
scene.addTerm({ role: 'overlord', node: 'overlord-2:8090', from: ago(7_000), to: ago(2_400), term: 30 });
scene.addTerm({
  role: 'overlord',
  node: 'overlord-1:8090',
  from: ago(2_391.8),
  term: 31,
  gapMs: 8_200,
  waited: 143,
});
scene.showBrokers((broker, i) =>
  i === 1
    ? { ...broker, ready: false, ejected: true, why: 'ejected for 20 s: 5 of its requests failed in a row' }
    : broker,
);
scene.cordon('broker-3:8082', true);

let beat = 0;
const traffic = setInterval(() => {
  beat++;
  const wave = 1 + Math.sin(beat / 60);
  scene.record(20 + Math.round(15 * wave + 10 * Math.random()), {
    durationMs: 20 + 60 * wave * Math.random(),
  });
  scene.record(beat % 80 < 40 ? 1 : 0, { durationMs: 1_500 });
  for (const broker of [0, 3, 4]) scene.attempts(broker, 4, 20 + 40 * wave * Math.random());
  if (beat % 25 === 0) scene.attempts(0, 1, 1_500);
  if (beat % 40 === 0) scene.attempts(1, 1, 900, 1);
  scene.record(3, { class: 'read', role: 'coordinator', durationMs: 2 + 12 * Math.random() });
  scene.record(1 + Math.round(wave), {
    class: 'write',
    role: 'overlord',
    durationMs: 60 + 90 * Math.random(),
  });
  if (beat % 300 === 0) scene.record(2, { status: 503, reason: 'no_ready_broker' });
}, 100);

const browser = await launchChromium();
const pages = await Promise.all(
  PICTURES.map(async ([file, options]) => {
    const page = await (await browser.newContext(options)).newPage();
    await page.goto(scene.url);
    return { file, page };
  }),
);
await new Promise((resolve) => setTimeout(resolve, RECORD_MS));
for (const { file, page } of pages) await page.screenshot({ path: `${FOLDER}${file}` });
clearInterval(traffic);
await browser.close();
await scene.close();
