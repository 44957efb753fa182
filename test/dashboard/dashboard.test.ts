import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from '../kit/clients/chromium.ts';
import { Scene, type SceneOptions } from './scene.ts';

let browser: Browser;
let scene: Scene;
let contexts: BrowserContext[];
/** What went wrong in pages: exceptions, refused scripts, answers of 4xx and 5xx. */
let complaints: string[];

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
beforeEach(() => {
  contexts = [];
  complaints = [];
});
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  await scene.close();
  expect(scene.errors.lines).toEqual([]);
});

async function stage(options: SceneOptions = {}): Promise<void> {
  scene = await new Scene(options).listen();
}

async function open(options: BrowserContextOptions = {}, url = scene.url): Promise<Page> {
  const context = await browser.newContext(options);
  contexts.push(context);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await page.getByText('Live.', { exact: true }).waitFor();
  return page;
}

const cellOf = (page: Page, row: string, column: string) =>
  page.locator(`tr[data-key="${row}"] [data-column="${column}"]`);

describe('a change of leader', () => {
  test('shows within a second, in the table and for a screen reader', async () => {
    await stage();
    const page = await open();
    await expect.poll(() => cellOf(page, 'overlord', 'Node').innerText()).toBe('overlord-1:8090');
    // The first state of the stream is there, so what follows is a change.
    await page.locator('#traffic:not([hidden])').waitFor();
    const seen = page.waitForFunction(
      () =>
        document.querySelector('tr[data-key="overlord"] [data-column="Node"]')?.textContent === 'other:8090',
      null,
      { polling: 'raf' },
    );
    const began = performance.now();
    scene.swap('overlord', 'other:8090', 32);
    await seen;
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await page.locator('#news').innerText()).toBe('other:8090 leads as Overlord.');
    expect(await page.locator('#news').getAttribute('aria-live')).toBe('polite');
    expect(complaints).toEqual([]);
  });

  test('has a line in the timeline, with its gap and who waited', async () => {
    await stage();
    scene.addTerm({ role: 'overlord', node: 'a:8090', from: '2026-01-01T12:00:00.000Z' });
    const page = await open();
    scene.addTerm({
      role: 'overlord',
      node: 'b:8090',
      from: '2026-01-01T12:01:07.000Z',
      gapMs: 8_200,
      waited: 143,
      term: 32,
    });
    const row = page.locator('#terms-table tbody tr').first();
    await expect
      .poll(() => row.locator('th, td').allInnerTexts())
      .toEqual(['2026-01-01 12:01:07', 'Overlord', 'a:8090 to b:8090', '8.2 s', '143', '0', '32', 'both']);
    expect(await page.locator('#terms-bars svg').count()).toBe(2);
    scene.count(150);
    await expect
      .poll(() => row.locator('[data-column="Waited"]').innerText(), { timeout: 10_000 })
      .toBe('150');
  });
});

describe('a hostile name', () => {
  const NAME = '"><img src=x onerror="document.title=1"><script>document.title=2</script>';

  test('is text, in what the server renders and in what comes later', async () => {
    await stage({ brokers: 1 });
    const page = await open();
    const images = await page.locator('img').count();
    scene.showBrokers((broker) => ({ ...broker, service: NAME, why: NAME, ready: false }));
    await expect.poll(() => cellOf(page, 'broker-1:8082', 'Why').innerText()).toBe(NAME);
    expect(await cellOf(page, 'broker-1:8082', 'Service').innerText()).toBe(NAME);
    expect(await page.title()).toBe('druid-gateway');
    expect(await page.locator('img').count()).toBe(images);
    const again = await open();
    expect(await cellOf(again, 'broker-1:8082', 'Why').innerText()).toBe(NAME);
    expect(await again.title()).toBe('druid-gateway');
    expect(complaints).toEqual([]);
  });

  test('could not become HTML even where a script tried', async () => {
    await stage();
    const page = await open();
    const thrown = await page.evaluate(() => {
      try {
        document.body.innerHTML = '<p>x</p>';
        return null;
      } catch (error) {
        return String(error);
      }
    });
    expect(thrown).toContain('TrustedHTML');
  });
});

describe('buttons', () => {
  test('take a Broker out and put it back, by keyboard alone, once a person has confirmed', async () => {
    await stage();
    const page = await open();
    const cordon = page.getByRole('button', { name: 'Cordon broker-2:8082' });
    await cordon.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Cordon broker-2:8082?' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(scene.actions).toEqual([]);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('broker-2:8082 gets no new queries.').waitFor();
    await expect.poll(() => cellOf(page, 'broker-2:8082', 'State').innerText()).toBe('draining');
    expect(await cordon.evaluate((button) => button === document.activeElement)).toBe(true);
    await page.getByRole('button', { name: 'Return broker-2:8082' }).click();
    await page.getByRole('button', { name: 'Return', exact: true }).click();
    await expect.poll(() => cellOf(page, 'broker-2:8082', 'State').innerText()).toBe('ready');
    expect(scene.actions).toEqual(['broker-2:8082 true', 'broker-2:8082 false']);
    expect(complaints).toEqual([]);
  });

  test('ask for the token, keep it in memory alone, and ask again when it is wrong', async () => {
    const token = 'a-token-of-some-length';
    await stage({ token });
    const page = await open();
    const act = async (name: string, text: string): Promise<void> => {
      await page.getByRole('button', { name: `${name} broker-1:8082` }).click();
      if (text !== '') await page.getByLabel('Token of admin.tokenFile').fill(text);
      await page.getByRole('button', { name, exact: true }).click();
    };
    await act('Cordon', 'wrong');
    await page.getByText(/Cordon broker-1:8082 failed: Actions need the token/).waitFor();
    await act('Cordon', token);
    await page.getByText('broker-1:8082 gets no new queries.').waitFor();
    await act('Return', '');
    await page.getByText('broker-1:8082 gets queries again.').waitFor();
    expect(scene.actions).toEqual(['broker-1:8082 true', 'broker-1:8082 false']);
    const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
    expect(stored).toEqual([0, 0, '']);
    expect(await page.content()).not.toContain(token);
  });

  test('of a page elsewhere do nothing, whatever that page tries', async () => {
    await stage();
    const elsewhere = createServer((_request, response) => response.end('<!doctype html><p>hello</p>'));
    elsewhere.listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    try {
      const context = await browser.newContext();
      contexts.push(context);
      const page = await context.newPage();
      const statuses: number[] = [];
      page.on('response', (response) => {
        if (response.url().startsWith(scene.url)) statuses.push(response.status());
      });
      await page.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
      await page.evaluate(async (target) => {
        const url = `${target}/brokers/broker-1:8082/cordon`;
        await fetch(url, { method: 'POST', mode: 'no-cors' });
        await fetch(url, { method: 'POST' }).catch(() => null);
        await fetch(`${target}/status`, { mode: 'no-cors' });
        const form = document.createElement('form');
        form.method = 'post';
        form.action = url;
        document.body.append(form);
        form.submit();
      }, scene.url);
      // The browser itself keeps the answer to the second from the page.
      await expect.poll(() => statuses).toEqual([403, 403, 403]);
      await page.waitForURL('**/cordon');
      // A link is no harm: its page sees nothing of what it opens.
      const link = await page.goto(`${scene.url}/`, { referer: 'https://elsewhere.example/' });
      expect(link?.status()).toBe(200);
    } finally {
      elsewhere.close();
      elsewhere.closeAllConnections();
    }
    expect(scene.actions).toEqual([]);
  });

  test('and the page itself are not there by a name that only leads here', async () => {
    await stage();
    const context = await browser.newContext();
    contexts.push(context);
    const page = await context.newPage();
    // Browsers take every name below localhost to loopback.
    const answer = await page.goto(scene.url.replace('127.0.0.1', 'rebound.localhost'));
    expect(answer?.status()).toBe(421);
    expect(await answer?.text()).not.toContain('broker-1');
  });
});

describe('without JavaScript', () => {
  test('the page is a plain status that loads itself anew', async () => {
    await stage();
    const page = await open({ javaScriptEnabled: false });
    expect(await page.locator('#headline').innerText()).toBe('Both leaders serve, 3 of 3 Brokers are ready.');
    expect(await cellOf(page, 'coordinator', 'Node').innerText()).toBe('coordinator-1:8081');
    expect(await page.locator('#traffic').isVisible()).toBe(false);
    expect(await page.getByRole('button').count()).toBe(0);
    scene.swap('coordinator', 'other:8081', 13);
    await expect
      .poll(() => cellOf(page, 'coordinator', 'Node').innerText(), { timeout: 15_000 })
      .toBe('other:8081');
  });
});

describe('traffic', () => {
  test('shows rates, quantiles and refusals of what goes on', async () => {
    await stage();
    const page = await open();
    const recording = setInterval(() => {
      scene.record(10, { durationMs: 8 });
      scene.record(1, { status: 503, reason: 'no_ready_broker', durationMs: 8 });
    }, 100);
    try {
      await expect
        .poll(() => cellOf(page, 'query', 'Rate').innerText(), { timeout: 15_000 })
        .toMatch(/^\d+\/s/);
      await expect.poll(() => cellOf(page, 'query', 'p50').innerText()).toMatch(/^[5-9]\.\d ms/);
      expect(await cellOf(page, 'query', 'Errors').innerText()).toMatch(/^(8|9|10)(\.\d)?%/);
      expect(await page.locator('tr[data-key="query"] svg.chart polyline').count()).toBe(3);
      await expect
        .poll(() => cellOf(page, 'no_ready_broker', 'Requests since the start').innerText())
        .toMatch(/\d/);
      await page.locator('#recent-table').getByText('no_ready_broker').first().waitFor();
      expect(await page.locator('#recent-table [data-column="Class"]').first().innerText()).toBe('query');
    } finally {
      clearInterval(recording);
    }
    expect(complaints).toEqual([]);
  });
});

describe('the traffic of Brokers', () => {
  test('shows latency and errors of the last minute, without JavaScript, too', async () => {
    await stage();
    scene.attempts(0, 98, 8);
    scene.attempts(0, 2, 2_000);
    scene.attempts(1, 3, 40, 2);
    const page = await open();
    const texts = (broker: string, where: Page = page) =>
      Promise.all(['p50', 'p99', 'Errors'].map((column) => cellOf(where, broker, column).innerText()));
    await expect
      .poll(() => texts('broker-1:8082'))
      .toEqual([expect.stringMatching(/^[5-9]\.\d ms$/), expect.stringMatching(/^1\.\d s$/), '0 of 100']);
    expect(await texts('broker-2:8082')).toEqual([
      expect.stringMatching(/ ms$/),
      expect.stringMatching(/ ms$/),
      '2 of 5',
    ]);
    expect(await cellOf(page, 'broker-2:8082', 'Errors').getAttribute('data-tone')).toBe('bad');
    expect(await texts('broker-3:8082')).toEqual(['none', 'none', 'none']);
    scene.attempts(2, 1, 8, 1);
    await expect
      .poll(() => cellOf(page, 'broker-3:8082', 'Errors').innerText(), { timeout: 10_000 })
      .toBe('1 of 2');
    const plain = await open({ javaScriptEnabled: false });
    expect((await texts('broker-1:8082', plain))[2]).toBe('0 of 100');
    expect(complaints).toEqual([]);
  });

  test('is there on a phone, with its name beside it', async () => {
    await stage();
    scene.attempts(0, 4, 8, 1);
    const page = await open({ viewport: { width: 390, height: 844 } });
    const cell = cellOf(page, 'broker-1:8082', 'Errors');
    await expect.poll(() => cell.innerText()).toBe('1 of 5');
    expect(await cell.evaluate((element) => getComputedStyle(element, '::before').content)).toBe('"Errors"');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
});

describe('configuration', () => {
  test('names where each value came from', async () => {
    await stage();
    const page = await open();
    await page.locator('#settings summary').click();
    const rows = await page
      .locator('#settings-table tbody tr')
      .evaluateAll((elements) =>
        elements.map((element) => [...element.children].map((cell) => cell.textContent)),
      );
    expect(rows).toContainEqual(['listen.port', '8888', 'flag --listen']);
    expect(rows).toContainEqual([
      'parking.maxWait',
      '90s',
      'environment variable DRUID_GATEWAY__PARKING__MAX_WAIT',
    ]);
    expect(rows).toContainEqual(['zookeeper.basePath', '/druid', 'default']);
  });
});

describe('a thousand Brokers', () => {
  test('are usable: those in trouble first, a hundred at a time, the rest by a filter', async () => {
    await stage({ brokers: 1_000 });
    for (let i = 0; i < 1_000; i++) scene.attempts(i, 20, i, i % 3);
    const page = await open();
    const rows = page.locator('#brokers-table tbody tr');
    await expect.poll(() => rows.count()).toBe(100);
    await page.getByText('100 of 1,000 are shown.').waitFor();
    scene.showBrokers((broker, i) =>
      i === 776 ? { ...broker, ready: false, why: 'does not answer' } : broker,
    );
    await expect.poll(() => rows.first().locator('th').innerText()).toBe('broker-0777:8082');
    await page.getByLabel('Filter').fill('broker-09');
    await expect.poll(() => rows.count()).toBe(100);
    await page.getByLabel('Filter').fill('broker-0999');
    await expect.poll(() => rows.count()).toBe(1);
    await page.getByLabel('Filter').fill('');
    await page.getByRole('button', { name: 'Show all' }).click();
    await expect.poll(() => rows.count()).toBe(1_000);
    // With all of them on the page, an update leaves the page free to answer.
    const began = performance.now();
    scene.showBrokers((broker) => ({ ...broker, why: 'changed' }));
    await expect
      .poll(() => cellOf(page, 'broker-1000:8082', 'Why').innerText(), { timeout: 5_000 })
      .toBe('changed');
    expect(performance.now() - began).toBeLessThan(2_000);
    const longest = await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          let [last, most, frames] = [performance.now(), 0, 0];
          const frame = (): void => {
            most = Math.max(most, performance.now() - last);
            last = performance.now();
            if (++frames < 180) requestAnimationFrame(frame);
            else resolve(most);
          };
          requestAnimationFrame(frame);
        }),
    );
    expect(longest).toBeLessThan(1_000);
    expect(complaints).toEqual([]);
  });

  test('on ten open pages cost next to nothing', async () => {
    await stage({ brokers: 1_000 });
    for (let i = 0; i < 1_000; i++) scene.attempts(i, 20, i, i % 3);
    const pages = await Promise.all(Array.from({ length: 10 }, () => open()));
    const before = process.cpuUsage();
    const began = performance.now();
    scene.swap('overlord', 'other:8090', 32);
    for (const page of pages) {
      await expect
        .poll(() => cellOf(page, 'overlord', 'Node').innerText(), { timeout: 10_000 })
        .toBe('other:8090');
    }
    const uptime = pages[9]?.locator('#uptime');
    const first = await uptime?.innerText();
    await expect.poll(() => uptime?.innerText(), { timeout: 10_000 }).not.toBe(first);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const { user, system } = process.cpuUsage(before);
    const share = (user + system) / 1_000 / (performance.now() - began);
    expect(share).toBeLessThan(0.15);
  });
});

describe('an open page', () => {
  test('that nobody sees asks for nothing, and is up to date once it is seen again', async () => {
    await stage();
    const page = await open();
    const hide = (hidden: boolean) =>
      page.evaluate(
        (state) => {
          Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        },
        hidden ? 'hidden' : 'visible',
      );
    await hide(true);
    await expect.poll(() => scene.cluster.listenerCount('view')).toBe(1);
    scene.swap('overlord', 'other:8090', 32);
    await hide(false);
    await expect.poll(() => cellOf(page, 'overlord', 'Node').innerText()).toBe('other:8090');
  });

  test('says that the gateway is away, and comes back by itself', async () => {
    await stage();
    const page = await open();
    const { port } = new URL(scene.url);
    await scene.close();
    await page.getByText('The connection to the gateway is lost; trying again.').waitFor();
    scene = await new Scene({ brokers: 2 }).listen(Number(port));
    await page.getByText('Live.', { exact: true }).waitFor();
    await expect.poll(() => page.locator('#headline').innerText()).toContain('2 of 2 Brokers');
  });
});

describe('a phone and a screen reader', () => {
  test('the page is as wide as a phone, and buttons are as large as a finger', async () => {
    await stage();
    const page = await open({ viewport: { width: 360, height: 740 } });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBe(360);
    const box = await page.getByRole('button', { name: 'Drain broker-1:8082' }).boundingBox();
    expect(box?.height).toBeGreaterThanOrEqual(44);
  });

  test('tables have names, headers and rows to a screen reader, on a phone, too', async () => {
    await stage();
    for (const width of [360, 1200]) {
      const page = await open({ viewport: { width, height: 740 } });
      const table = page.getByRole('table', { name: 'Leaders' });
      await table.getByRole('rowheader', { name: 'Overlord' }).waitFor();
      // On a phone, remarks that are empty are left out.
      expect(await table.getByRole('cell').count()).toBe(width === 360 ? 12 : 14);
      await expect(page.getByRole('heading', { level: 2 }).count()).resolves.toBeGreaterThan(5);
      await expect(page.getByRole('main').count()).resolves.toBe(1);
    }
  });
});

/** The contrast of two colours as WCAG 2 has it. */
function contrast(a: readonly number[], b: readonly number[]): number {
  const luminance = (rgb: readonly number[]): number => {
    const [red = 0, green = 0, blue = 0] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [light, dark] = [luminance(a), luminance(b)].toSorted((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

test.each(['light', 'dark'] as const)(
  'all text can be told from its background in %s',
  async (colorScheme) => {
    await stage();
    scene.showBrokers((broker, i) => (i === 0 ? { ...broker, ready: false } : broker));
    scene.cordon('broker-2:8082', true);
    const page = await open({ colorScheme });
    const colours = await page.evaluate(() => {
      const numbers = (colour: string): number[] => (colour.match(/\d+/g) ?? []).slice(0, 3).map(Number);
      const paper = (element: Element | null): number[] => {
        for (let at = element; at !== null; at = at.parentElement) {
          const { backgroundColor } = getComputedStyle(at);
          if (backgroundColor !== 'rgba(0, 0, 0, 0)') return numbers(backgroundColor);
        }
        return [255, 255, 255];
      };
      return [...document.querySelectorAll('h1, h2, p, th, td, button, summary, label')]
        .filter((element) => element.textContent !== '')
        .map((element) => ({
          text: element.textContent,
          ink: numbers(getComputedStyle(element).color),
          paper: paper(element),
        }));
    });
    expect(colours.length).toBeGreaterThan(50);
    for (const { text, ink, paper } of colours) {
      expect([text, contrast(ink, paper) >= 4.5]).toEqual([text, true]);
    }
  },
);
