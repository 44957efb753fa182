import { describe, expect, test } from 'vitest';
import { ReadError, type Session } from '../../../src/discovery/zookeeper/session.ts';
import { findNearMisses } from '../../../src/doctor/near-misses.ts';

const NO_NODE = -101;
const NO_AUTH = -102;

/** A session that knows these paths, and counts how often it is asked. */
function of(paths: Readonly<Record<string, readonly string[] | number>>): {
  session: Session;
  asked: string[];
} {
  const asked: string[] = [];
  const session = {
    async getChildren(path: string) {
      asked.push(path);
      const names = paths[path] ?? NO_NODE;
      if (typeof names === 'number') throw new ReadError(names, 'no');
      return [...names];
    },
  } as unknown as Session;
  return { session, asked };
}

const CONFIGURED = { base: '/druid', coordinator: '/druid/coordinator' };

describe('near misses', () => {
  test('are base paths and latches of others, at any of three levels, and not ours', async () => {
    const { session } = of({
      '/': ['druid', 'zookeeper', 'prod', 'kafka'],
      '/druid': ['internal-discovery', 'coordinator'],
      '/druid/coordinator': ['_COORDINATOR'],
      '/prod': ['eu'],
      '/prod/eu': ['druid'],
      '/prod/eu/druid': ['internal-discovery', 'coordinator'],
      '/kafka': ['masters'],
      '/kafka/masters': ['_COORDINATOR'],
    });
    expect(await findNearMisses(session, CONFIGURED)).toEqual(['/kafka/masters', '/prod/eu/druid']);
  });

  test('are sought around what may not be read, and not in what is of ZooKeeper', async () => {
    const { session, asked } = of({
      '/': ['secret', 'zookeeper', 'other'],
      '/secret': NO_AUTH,
      '/other': ['internal-discovery'],
    });
    expect(await findNearMisses(session, CONFIGURED)).toEqual(['/other']);
    expect(asked).not.toContain('/zookeeper');
  });

  test('are sought in two hundred paths at most, however many there are', async () => {
    const names = Array.from({ length: 500_000 }, (_, i) => `n${i}`);
    const { session, asked } = of(
      Object.fromEntries([['/', names], ...names.slice(0, 300).map((name) => [`/${name}`, names])]),
    );
    expect(await findNearMisses(session, CONFIGURED)).toEqual([]);
    expect(asked.length).toBeLessThanOrEqual(200);
  });

  test('end with a connection that is lost', async () => {
    const session = {
      getChildren: () => Promise.reject(new ReadError('not_connected', 'gone')),
    } as unknown as Session;
    await expect(findNearMisses(session, CONFIGURED)).rejects.toThrow('gone');
  });
});
