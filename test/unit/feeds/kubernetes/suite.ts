import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Fields } from '../../../../src/discovery/json-fields.ts';
import type { KubernetesFeedOptions } from '../../../../src/feeds/kubernetes/feed.ts';
import { node } from '../../admin/fakes.ts';
import { FedGateway, SHORT, type SlicesApi, Stored, soon } from './rig.ts';

/** A started API server; the suite asks it only over HTTP. */
export interface SlicesRig extends SlicesApi {
  /** Nothing listens any more. */
  down(): Promise<void>;
  /** It is back, with all that it had stored. */
  up(): Promise<void>;
  close(): Promise<void>;
}

/** What the feed does with any API server. */
export function slicesSuite(name: string, start: () => Promise<SlicesRig>): void {
  describe(name, () => {
    let rig: SlicesRig;
    let stored: Stored;
    let gateways: FedGateway[];

    const gateway = (identity: string, change: Partial<KubernetesFeedOptions> = {}): FedGateway => {
      const made = new FedGateway(rig, identity, change);
      gateways.push(made);
      return made;
    };

    beforeEach(async () => {
      rig = await start();
      stored = new Stored(rig);
      gateways = [];
    });

    afterEach(async () => {
      await Promise.all(gateways.map((one) => one.close()));
      await rig.close();
    });

    test('a leader is the one endpoint of its Service, and a swap is one write', async () => {
      const one = gateway('one');
      one.lead('coordinator', node('10.0.0.2:8081'));
      one.feed.start();
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.2:8081'));
      expect(await stored.get('EndpointSlice', 'c-ipv4')).toMatchObject({
        metadata: {
          labels: {
            'kubernetes.io/service-name': 'c',
            'endpointslice.kubernetes.io/managed-by': 'druid-gateway',
          },
        },
        addressType: 'IPv4',
        endpoints: [
          { addresses: ['10.0.0.2'], conditions: { ready: true, serving: true, terminating: false } },
        ],
        ports: [{ name: 'http', port: 8081, protocol: 'TCP', appProtocol: 'http' }],
      });
      // Nobody leads the Overlords, and nobody did.
      expect(await stored.get('EndpointSlice', 'o-ipv4')).toBeNull();
      await soon(() => expect(one.feed.counts).toMatchObject({ up: true, holder: true, writes: 1 }));
      one.sent.length = 0;
      one.lead('coordinator', node('10.0.0.3:8281'), 2);
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.3:8281'));
      expect(one.sent.filter((what) => what.includes('EndpointSlice'))).toEqual([
        'update EndpointSlice c-ipv4',
      ]);
      one.lead('coordinator', null);
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe(''));
      expect(await stored.get('EndpointSlice', 'c-ipv6')).toBeNull();
    });

    test('a leader with another kind of address is in a slice of its own, and the former one is taken out', async () => {
      const one = gateway('one');
      one.lead('overlord', node('10.0.0.2:8090'));
      one.feed.start();
      await soon(async () => expect(await stored.endpoint('o-ipv4')).toBe('10.0.0.2:8090'));
      one.lead('overlord', node('[fd00:0:0::0:7]:8090'), 2);
      await soon(async () => expect(await stored.endpoint('o-ipv6')).toBe('fd00::7:8090'));
      expect(await stored.endpoint('o-ipv4')).toBe('');
      one.lead('overlord', node('10.0.0.2:8090'), 3);
      await soon(async () => expect(await stored.endpoint('o-ipv4')).toBe('10.0.0.2:8090'));
      expect(await stored.endpoint('o-ipv6')).toBe('');
    });

    test('one of two gateways writes; the other takes over when it dies, and not before its lease is over', async () => {
      const [one, two] = [gateway('one', SHORT), gateway('two', SHORT)];
      one.lead('coordinator', node('10.0.0.1:8081'));
      two.lead('coordinator', node('10.0.0.2:8081'));
      one.feed.start();
      await one.holds();
      two.feed.start();
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081'));
      await soon(() => expect(two.feed.counts).toMatchObject({ up: true, holder: false }));
      expect(two.said).toContainEqual([
        'another gateway writes the EndpointSlices',
        { lease: 'c-endpoints', holder: 'one' },
      ]);
      one.away = true;
      await two.holds();
      expect(one.feed.counts.holder).toBe(false);
      expect(performance.now() - one.renewedAt).toBeGreaterThan(SHORT.leaseMs);
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.2:8081'));
      await soon(() => expect(two.feed.counts.writes).toBe(1));
      // It is back, and sees who holds the Lease now.
      const { writes } = one.feed.counts;
      one.away = false;
      one.lead('coordinator', node('10.0.0.3:8081'), 2);
      await soon(() => expect(one.feed.counts.up).toBe(true));
      expect(await stored.holder()).toBe('two');
      expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.2:8081');
      expect(one.feed.counts.writes).toBe(writes);
    });

    test('a gateway that ends gives the Lease back, and one that takes over finds what is right already', async () => {
      // The Lease would last much longer than this test takes.
      const [one, two] = [gateway('one'), gateway('two')];
      for (const each of [one, two]) each.lead('coordinator', node('10.0.0.1:8081'));
      one.feed.start();
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081'));
      two.feed.start();
      await soon(() => expect(two.feed.counts.up).toBe(true));
      // As SIGTERM does: the gateway says that it drains, long before it is gone.
      one.draining = true;
      one.published.look();
      await two.holds();
      expect(one.feed.counts.holder).toBe(false);
      expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081');
      await two.feed.close();
      expect(await stored.holder()).toBe('');
      expect(await stored.get('Lease', 'c-endpoints')).toMatchObject({
        spec: { leaseDurationSeconds: 1, leaseTransitions: 1 },
      });
      expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081');
    });

    test('what somebody else has changed is put right, with what he has added left', async () => {
      const one = gateway('one', { intervalMs: 100 });
      one.lead('coordinator', node('10.0.0.1:8081'));
      one.feed.start();
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081'));
      const slice = (await stored.get('EndpointSlice', 'c-ipv4')) as Fields;
      const metadata = slice.metadata as Fields;
      const labels = { ...(metadata.labels as Fields), team: 'data' };
      await stored.put('EndpointSlice', {
        ...slice,
        metadata: { ...metadata, labels },
        endpoints: [{ addresses: ['10.9.9.9'] }],
      });
      // Before that is noticed, the version that the gateway has is an old one.
      one.lead('coordinator', node('10.0.0.2:8081'), 2);
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.2:8081'));
      expect(await stored.get('EndpointSlice', 'c-ipv4')).toMatchObject({
        metadata: { labels: { team: 'data' } },
      });
      const again = (await stored.get('EndpointSlice', 'c-ipv4')) as Fields;
      await stored.put('EndpointSlice', { ...again, endpoints: [] });
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.2:8081'));
      await soon(() => expect(one.feed.counts.writes).toBeGreaterThan(2));
      await soon(() => expect(one.feed.counts.up).toBe(true));
      const version = await stored.version('c-ipv4');
      const { writes } = one.feed.counts;
      one.sent.length = 0;
      await soon(() =>
        expect(one.sent.filter((what) => what === 'get EndpointSlice c-ipv4').length).toBeGreaterThan(3),
      );
      expect(await stored.version('c-ipv4')).toBe(version);
      expect(one.feed.counts.writes).toBe(writes);
      expect(one.warnings).toEqual([]);
    });

    test('a slice of that name that is not the gateway’s is left alone', async () => {
      await stored.create('EndpointSlice', {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'c-ipv4', labels: { 'kubernetes.io/service-name': 'c' } },
        addressType: 'IPv4',
        endpoints: [],
        ports: [],
      });
      const one = gateway('one');
      one.lead('coordinator', node('10.0.0.1:8081'));
      one.lead('overlord', node('10.0.0.2:8090'));
      one.feed.start();
      await soon(async () => expect(await stored.endpoint('o-ipv4')).toBe('10.0.0.2:8090'));
      await soon(() =>
        expect(one.warnings).toEqual([
          "EndpointSlice c-ipv4 is not the gateway's: its label endpointslice.kubernetes.io/managed-by is missing",
        ]),
      );
      expect(await stored.endpoint('c-ipv4')).toBe('');
      expect(one.feed.counts.up).toBe(false);
    });

    test('a server that is away is said once, and when it is back the slices are what they are to be', async () => {
      const one = gateway('one', SHORT);
      one.lead('coordinator', node('10.0.0.1:8081'));
      one.feed.start();
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.1:8081'));
      await rig.down();
      one.lead('coordinator', node('10.0.0.2:8081'), 2);
      await soon(() => expect(one.feed.counts).toMatchObject({ up: false, holder: false }));
      await rig.up();
      await soon(async () => expect(await stored.endpoint('c-ipv4')).toBe('10.0.0.2:8081'));
      await soon(() => expect(one.feed.counts).toMatchObject({ up: true, holder: true }));
      expect(one.said.filter(([message]) => message === 'EndpointSlices are as the view says')).toHaveLength(
        1,
      );
    });
  });
}
