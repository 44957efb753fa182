import { expect, test } from 'vitest';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import { shareView } from '../../../src/feeds/shared-view.ts';
import { EMPTY_VIEW, FakeDiscovery, leaderless, node, serving } from '../admin/fakes.ts';
import { announced, broker, snapshotOf } from './views.ts';

const discovery = new FakeDiscovery();

test('leaders and Brokers are told with their state, weight and labels, in an order that does not change', () => {
  const warming = node('b:8082');
  warming.takeShare(0.12);
  const elsewhere = new UpstreamNode('https://[::1]:8290');
  elsewhere.reachAt('10.0.0.7');
  discovery.snapshot = snapshotOf(announced('broker', 'http://b:8082', { labels: [['zone', 'z1']] }));
  const shared = shareView(
    {
      ...EMPTY_VIEW,
      complete: true,
      leaders: {
        coordinator: leaderless('coordinator'),
        overlord: serving('overlord', elsewhere, 7),
      },
      brokers: [
        broker(node('z:8082'), { service: 'druid/hot' }),
        broker(node('c:8082'), { ready: false, cordoned: true }),
        broker(node('d:8082'), { ready: false, ejected: true }),
        broker(node('e:8082'), { ready: false }),
        // Too many others failed, too.
        broker(node('f:8082'), { ejected: true }),
        broker(warming),
      ],
    },
    discovery,
    false,
  );
  const at = (host: string, service = 'druid/broker') => ({
    node: `${host}:8082`,
    scheme: 'http',
    host,
    port: 8082,
    address: null,
    service,
  });
  expect(shared).toEqual({
    complete: true,
    draining: false,
    discovery: { kind: 'zookeeper', state: 'connected' },
    leaders: {
      coordinator: {
        state: 'none',
        term: null,
        node: null,
        scheme: null,
        host: null,
        port: null,
        address: null,
      },
      overlord: {
        state: 'serving',
        term: 7,
        node: '[::1]:8290',
        scheme: 'https',
        host: '::1',
        port: 8290,
        address: '10.0.0.7',
      },
    },
    brokers: [
      { ...at('b'), state: 'ready', weight: 20, labels: { zone: 'z1' } },
      { ...at('c'), state: 'cordoned', weight: 0 },
      { ...at('d'), state: 'ejected', weight: 0 },
      { ...at('e'), state: 'not_ready', weight: 0 },
      { ...at('f'), state: 'ready', weight: 100 },
      { ...at('z', 'druid/hot'), state: 'ready', weight: 100 },
    ],
  });
});
