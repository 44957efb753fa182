import { afterEach, expect, test, vi } from 'vitest';
import { createStaticDiscovery } from '../../../src/discovery/static.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';

afterEach(() => void vi.useRealTimers());

test('the list is read again and again, so that nobody takes it for old', async () => {
  vi.useFakeTimers();
  const discovery = createStaticDiscovery({ coordinators: [], overlords: [], brokers: [] }, recordErrors());
  let reads = 0;
  discovery.on('read', () => reads++);
  discovery.start();
  vi.advanceTimersByTime(60_000);
  expect(reads).toBeGreaterThan(0);
  await discovery.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('nodes are known in one spelling, and each once', () => {
  const service = 'druid/broker';
  const discovery = createStaticDiscovery(
    {
      coordinators: ['http://[0:0:0:0:0:0:0:1]:8081', 'http://[::1]:8081/'],
      overlords: ['https://Overlord-1.example.'],
      brokers: [
        { url: 'http://[::ffff:10.0.0.1]:8082', service },
        { url: 'http://10.0.0.1:8082', service },
        { url: 'http://10.0.0.2:8082', service },
      ],
    },
    recordErrors(),
  );
  discovery.start();
  const { coordinator, overlord, broker } = discovery.snapshot.announcements;
  const spelled = [coordinator, overlord, broker].map((of) => of.map(({ origin }) => origin));
  expect(spelled).toEqual([
    ['http://[::1]:8081'],
    ['https://overlord-1.example:443'],
    ['http://10.0.0.1:8082', 'http://10.0.0.2:8082'],
  ]);
  expect(overlord[0]?.hostAndPort).toBe('overlord-1.example:443');
});
