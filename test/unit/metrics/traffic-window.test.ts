import { Registry } from 'prom-client';
import { beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../../../src/metrics/metrics.ts';
import { type Traffic, TrafficWindow } from '../../../src/metrics/traffic-window.ts';
import { mergeMetrics } from '../../../src/workers/primary/merge-metrics.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { exchange, FakeCluster, FakeDiscovery } from '../admin/fakes.ts';

let metrics: Metrics;
let window: TrafficWindow;
let now: number;

function createProcess(): Metrics {
  return createMetrics({
    cluster: new FakeCluster(),
    discovery: new FakeDiscovery(),
    errors: recordErrors(),
    version: '1',
    registry: new Registry(),
  });
}

beforeEach(() => {
  metrics = createProcess();
  window = new TrafficWindow();
  now = Date.UTC(2026, 0, 1, 12);
});

async function after(ms: number): Promise<Traffic> {
  now += ms;
  return window.add(await metrics.sampleTraffic(), now);
}

function record(count: number, change: Parameters<typeof exchange>[0] = {}): void {
  for (let i = 0; i < count; i++) metrics.record(exchange(change));
}

test('a rate is of the last ten seconds, and what came before does not count', async () => {
  record(1_000);
  expect((await after(0)).classes).toEqual({});
  record(20);
  expect((await after(2_000)).classes.query?.rate).toBe(10);
  for (let i = 0; i < 4; i++) {
    record(10);
    await after(2_000);
  }
  record(10);
  expect((await after(2_000)).classes.query?.rate).toBe(5);
});

test('quantiles lie in the bucket that the requests of the window fell into', async () => {
  record(1_000, { durationMs: 200_000 });
  await after(0);
  record(98, { durationMs: 8 });
  record(2, { durationMs: 2_000 });
  const { query } = (await after(2_000)).classes;
  expect(query?.p50Ms).toBeGreaterThan(5);
  expect(query?.p50Ms).toBeLessThanOrEqual(10);
  expect(query?.p99Ms).toBeGreaterThan(1_000);
  expect(query?.p99Ms).toBeLessThanOrEqual(2_500);
});

test('a duration above the largest bound counts as that bound', async () => {
  await after(0);
  record(3, { durationMs: 900_000 });
  expect((await after(2_000)).classes.query?.p50Ms).toBe(300_000);
});

test('a class that has no requests now has a rate of zero and no quantiles', async () => {
  record(5, { class: 'read', role: 'overlord' });
  await after(0);
  expect((await after(2_000)).classes.read).toEqual({ rate: 0, p50Ms: null, p99Ms: null, errors: 0 });
});

test('errors are the share of answers of 500 and more, by whomever', async () => {
  await after(0);
  record(6);
  record(1, { status: 503, reason: 'no_leader' });
  record(1, { status: 500 });
  record(1, { status: 499, end: 'client_gone' });
  record(1, { status: 400 });
  expect((await after(2_000)).classes.query?.errors).toBeCloseTo(0.2);
});

test('classes of several roles are one', async () => {
  await after(0);
  record(2, { class: 'read', role: 'overlord' });
  record(2, { class: 'read', role: 'coordinator' });
  expect((await after(2_000)).classes.read?.rate).toBe(2);
});

test('refusals are told once, with the latest first, and their totals stay', async () => {
  record(3, { status: 503, reason: 'no_leader' });
  expect((await after(0)).refusals).toEqual([]);
  record(2, { status: 503, reason: 'no_leader' });
  await after(2_000);
  record(1, { status: 429, reason: 'too_many_requests' });
  record(3, { status: 503, reason: 'no_leader', class: 'write' });
  const { refusals, refused } = await after(2_000);
  expect(refusals).toEqual([
    { at: '2026-01-01T12:00:04.000Z', reason: 'no_leader', class: 'write', status: 503, count: 3 },
    { at: '2026-01-01T12:00:04.000Z', reason: 'too_many_requests', class: 'query', status: 429, count: 1 },
    { at: '2026-01-01T12:00:02.000Z', reason: 'no_leader', class: 'query', status: 503, count: 2 },
  ]);
  expect(refused).toEqual({ no_leader: 8, too_many_requests: 1 });
});

test('no more than fifty refusals are kept', async () => {
  await after(0);
  for (let i = 0; i < 60; i++) {
    record(1, { status: 503, reason: 'no_leader' });
    await after(2_000);
  }
  expect((await after(2_000)).refusals).toHaveLength(50);
});

test('a clock that is set back begins a new window', async () => {
  record(10);
  await after(0);
  expect((await after(-60_000)).classes).toEqual({});
  record(4);
  expect((await after(2_000)).classes.query?.rate).toBe(2);
});

test('merged samples of several processes are added', async () => {
  const other = createProcess();
  const merged = async () => mergeMetrics([await metrics.sampleTraffic(), await other.sampleTraffic()]);
  window.add(await merged(), now);
  record(6, { durationMs: 8 });
  for (let i = 0; i < 4; i++) other.record(exchange({ durationMs: 8 }));
  const { query } = window.add(await merged(), now + 1_000).classes;
  expect(query?.rate).toBe(10);
  expect(query?.p50Ms).toBeCloseTo(7.5);
});
