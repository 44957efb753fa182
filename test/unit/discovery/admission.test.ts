import { expect, test } from 'vitest';
import { admit, MOST_ANNOUNCEMENTS } from '../../../src/discovery/admission.ts';
import type { ParsedAnnouncement } from '../../../src/discovery/announcement.ts';
import type { Announcement } from '../../../src/discovery/discovery.ts';

function broker(port: number): Announcement {
  const hostAndPort = `10.0.0.1:${port}`;
  return { role: 'broker', hostAndPort, origin: `http://${hostAndPort}`, service: 's', version: null };
}

test('of very many announcements those that were known are kept, and the fault is told', () => {
  const known = [broker(60_001), broker(60_002)];
  const others = Array.from({ length: MOST_ANNOUNCEMENTS + 200 }, (_, i) => broker(10_001 + i));
  const faults: string[] = [];
  const admitted = admit(
    [...others, ...known].map((announcement): readonly [string, ParsedAnnouncement] => [
      announcement.hostAndPort,
      { kind: 'announcement', announcement },
    ]),
    { refusal: () => null, present: known, list: '/BROKER', onFault: (fault) => faults.push(fault) },
  );
  expect(admitted).toHaveLength(10_000);
  expect(admitted).toEqual(expect.arrayContaining(known));
  expect(faults).toEqual(['/BROKER has 10202 nodes; 10000 of them are used']);
});
