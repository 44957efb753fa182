import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitted } from '../../../bench/scale/least-squares.ts';
import {
  type Coefficients,
  churnTraffic,
  coefficients,
  heapOfServer,
  idleTraffic,
  leaderLastMs,
  leaderTraffic,
  listBytes,
  mostBrokers,
  mostGateways,
  readsPerSecond,
  type Size,
  serverCpuUs,
  startTraffic,
} from '../../../bench/scale/model.ts';
import { renderScale } from '../../../bench/scale/page.ts';
import type { ScaleResults } from '../../../bench/scale/results.ts';
import { parseHeap, parseMntr } from '../../../bench/scale/servers.ts';
import { announcement } from '../../../bench/scale/znodes.ts';
import { parseAnnouncement } from '../../../src/discovery/announcement.ts';

const SIZE: Size = { servers: 3, gateways: 10_000, brokers: 5_000, nameBytes: 36, dataBytes: 220 };
const KNOWN: Coefficients = {
  serverRequestUs: 20,
  serverKilobyteUs: 5,
  clientRequestUs: 50,
  clientKilobyteUs: 20,
  serverHeap: 5e6,
  sessionHeap: 20e3,
  brokerHeap: 1e3,
  leaderMs: 5,
};

describe('least squares', () => {
  test('finds the coefficients of what is made of them', () => {
    const coefficient = fc.double({ min: 0.1, max: 100, noNaN: true });
    fc.assert(
      fc.property(coefficient, coefficient, (a, b) => {
        const observations = [
          [1, 0],
          [5, 100],
          [100, 3],
          [20, 20],
        ].map(([x = 0, y = 0]) => ({ causes: [x, y], effect: a * x + b * y }));
        const [first = 0, second = 0] = fitted(observations);
        expect(first).toBeCloseTo(a, 4);
        expect(second).toBeCloseTo(b, 4);
      }),
    );
  });

  test('leaves out a cause that would take away, and knows nothing of nothing', () => {
    const observations = [1, 2, 3].map((x) => ({ causes: [x, 10 - x], effect: 12 * x - 5 }));
    const [first = 0, second = 0] = fitted(observations);
    expect(second).toBe(0);
    expect(first).toBeGreaterThan(8);
    expect(fitted([{ causes: [0, 2], effect: 8 }])).toEqual([0, 4]);
    expect(fitted([])).toEqual([]);
  });
});

describe('the model', () => {
  test('has the bytes that were measured for a change of the leader', () => {
    const { requests, bytesIn, bytesOut } = leaderTraffic({ ...SIZE, gateways: 1 });
    // As a real server of 3.9.4 sent and took them.
    expect({ requests, bytesIn, bytesOut }).toEqual({ requests: 1, bytesIn: 275, bytesOut: 48 });
  });

  test('is proportional to gateways, and a leader does not cost more with more Brokers', () => {
    for (const traffic of [
      leaderTraffic,
      idleTraffic,
      startTraffic,
      (size: Size) => churnTraffic(size, 10),
    ]) {
      const one = traffic(SIZE);
      const twice = traffic({ ...SIZE, gateways: 2 * SIZE.gateways });
      expect(twice.requests).toBeCloseTo(2 * one.requests, 3);
      expect(twice.bytesIn).toBeCloseTo(2 * one.bytesIn, 3);
    }
    expect(leaderTraffic({ ...SIZE, brokers: 1 })).toEqual(leaderTraffic(SIZE));
  });

  test('reads a short list with each change, and a long one twice in five seconds however many there are', () => {
    expect(readsPerSecond(100, 10)).toBeCloseTo(10);
    expect(readsPerSecond(5_000, 1e9)).toBeCloseTo(0.4);
    expect(readsPerSecond(5_000, 0.01)).toBeCloseTo(0.01, 3);
    expect(readsPerSecond(5_000, 0)).toBe(0);
  });

  test('says with how many Brokers a list reaches a limit', () => {
    const most = mostBrokers(0xfffff, 60);
    // The limit does not count the length of the packet.
    expect(listBytes(most, 60) - 4).toBeLessThanOrEqual(0xfffff);
    expect(listBytes(most + 1, 60) - 4).toBeGreaterThan(0xfffff);
  });

  test('has the last gateway know sooner with more servers, and with a delay not before it is over', () => {
    const last = leaderLastMs(SIZE, KNOWN);
    expect(leaderLastMs({ ...SIZE, servers: 5 }, KNOWN)).toBeLessThan(last);
    expect(leaderLastMs(SIZE, KNOWN, 10_000)).toBe(10_005);
    expect(last).toBeCloseTo(5 + (10_000 * (20 + 0.275 * 5)) / 3 / 1_000);
  });

  test('finds the number of gateways that keeps the servers just busy', () => {
    const gateways = mostGateways(SIZE, 10, KNOWN);
    const us = (count: number): number => {
      const size = { ...SIZE, gateways: count };
      return serverCpuUs(churnTraffic(size, 10), KNOWN) + serverCpuUs(idleTraffic(size), KNOWN);
    };
    expect(us(gateways)).toBeLessThanOrEqual(3e6);
    expect(us(gateways + 1)).toBeGreaterThan(3e6);
  });

  test('has each server hold its share of the sessions and all Brokers', () => {
    expect(heapOfServer({ ...SIZE, gateways: 3_000 }, KNOWN)).toBe(5e6 + 1_000 * 20e3 + 5_000 * 1e3);
  });
});

const results = JSON.parse(
  readFileSync(new URL('../../../docs/scale.json', import.meta.url), 'utf8'),
) as ScaleResults;

test('what was published has coefficients for all that the model needs', () => {
  for (const [name, value] of Object.entries(coefficients(results))) {
    expect(value, name).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(value), name).toBe(true);
  }
});

test('every table of the page says what was measured and what was calculated, and has no empty cell', () => {
  const tables = renderScale(results)
    .split('\n\n')
    .filter((part) => part.startsWith('|'));
  expect(tables).toHaveLength(9);
  for (const table of tables) {
    const [head = '', , ...rows] = table.split('\n');
    expect(`${head}${rows[0]}`).toMatch(/measured|calculated/);
    for (const row of rows) expect(row).not.toMatch(/\|\s+\|/);
  }
});

test('figures of a server are read from mntr and jcmd', () => {
  const mntr = parseMntr('zk_version\t3.9.4, built\nzk_watch_count\t50\nzk_packets_sent\t1234\n');
  expect([...mntr]).toEqual([
    ['zk_watch_count', 50],
    ['zk_packets_sent', 1234],
  ]);
  const heap = `1234:
 def new generation   total 78656K, used 1000K [0x00, 0x01)
 tenured generation   total 174784K, used 24K [0x00, 0x01)
`;
  expect(parseHeap(heap)).toBe(1_024 * 1_024);
  expect(parseHeap('')).toBeNaN();
});

test('an announcement of the bench is one to discovery', () => {
  const data = announcement({ host: 'a.example.com', port: 8082 });
  expect(parseAnnouncement('broker', data)).toMatchObject({
    kind: 'announcement',
    announcement: { origin: 'http://a.example.com:8082', service: 'druid/broker' },
  });
});
