import { afterEach, beforeEach, expect, test } from 'vitest';
import { PublishedView } from '../../../src/feeds/published-view.ts';
import type { SharedView } from '../../../src/feeds/shared-view.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, node, serving } from '../admin/fakes.ts';
import { broker } from './views.ts';

let cluster: FakeCluster;
let draining: boolean;
let published: PublishedView;
const errors = recordErrors();

function publish(maxWaiting?: number): PublishedView {
  return new PublishedView({
    cluster,
    discovery: new FakeDiscovery(),
    draining: () => draining,
    errors,
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
  });
}

beforeEach(() => {
  cluster = new FakeCluster();
  draining = false;
  published = publish();
});
afterEach(() => published.close());

const differs =
  (from: SharedView) =>
  (view: SharedView): boolean =>
    view.version !== from.version;

test('the same content has the same version, in another gateway too, and other content another', () => {
  const before = published.current;
  cluster.show({ readAt: 4711 });
  expect(published.current).toBe(before);
  expect(publish().current.version).toBe(before.version);
  cluster.lead(serving('overlord', node('b:8090'), 1));
  expect(published.current.version).not.toBe(before.version);
  // The same node in another term is another leadership.
  const first = published.current.version;
  cluster.lead(serving('overlord', node('b:8090'), 2));
  expect(published.current.version).not.toBe(first);
});

test('who waits is told of a leader in the same turn, and nobody follows the cluster when nobody waits', async () => {
  const before = published.current;
  expect(cluster.listenerCount('view')).toBe(0);
  const { over } = published.wait(differs(before), 60_000);
  expect(cluster.listenerCount('view')).toBe(1);
  cluster.show({ readAt: 1 });
  expect(published.waiting).toBe(1);
  cluster.lead(serving('overlord', node('b:8090'), 1));
  expect(published.waiting).toBe(0);
  await over;
  expect(cluster.listenerCount('view')).toBe(0);
});

test('a wait is over when its time is, when it is left, and when the gateway ends', async () => {
  const before = published.current;
  await published.wait(differs(before), 5).over;
  const left = published.wait(differs(before), 60_000);
  left.leave();
  await left.over;
  const { over } = published.wait(differs(before), 60_000);
  published.close();
  await over;
  await published.wait(differs(before), 60_000).over;
  expect([published.waiting, cluster.listenerCount('view')]).toEqual([0, 0]);
});

test('what is news already needs no wait', async () => {
  await published.wait(() => true, 60_000).over;
  expect(published.waiting).toBe(0);
});

test('a crowd of Brokers is told in few views, and none of them is left out', async () => {
  const told: SharedView[] = [];
  const done = Promise.withResolvers<void>();
  published.onChange((view) => {
    told.push(view);
    if (view.brokers.length === 500) done.resolve();
  });
  const brokers = [];
  for (let i = 0; i < 500; i++) {
    brokers.push(broker(node(`b${i}:8082`)));
    cluster.show({ brokers: [...brokers] });
  }
  await done.promise;
  expect(told.length).toBeLessThan(10);
});

test('a leader does not wait for a crowd of Brokers', () => {
  const told: SharedView[] = [];
  published.onChange((view) => told.push(view));
  cluster.show({ brokers: [broker(node('b1:8082'))] });
  cluster.show({ brokers: [broker(node('b2:8082'))] });
  expect(told.length).toBe(1);
  cluster.lead(serving('overlord', node('b:8090'), 1));
  expect(told.at(-1)).toMatchObject({
    leaders: { overlord: { node: 'b:8090' } },
    brokers: [{ node: 'b2:8082' }],
  });
});

test('weights of Brokers in slow start are told although no view tells of them', async () => {
  const warming = node('b:8082');
  warming.takeShare(0.1);
  cluster.show({ brokers: [broker(warming)] });
  const before = published.current;
  expect(before.brokers[0]?.weight).toBe(10);
  const { over } = published.wait(differs(before), 60_000);
  warming.takeShare(1);
  await over;
  expect(published.current.brokers[0]?.weight).toBe(100);
});

test('a gateway that drains tells those who wait', async () => {
  const { over } = published.wait(differs(published.current), 60_000);
  draining = true;
  published.look();
  await over;
  expect(published.current.draining).toBe(true);
});

test('a listener that throws is an error of ours, and the others are told', async () => {
  let told = 0;
  published.onChange(() => {
    throw new Error('thrown on purpose');
  });
  const stop = published.onChange(() => told++);
  const { over } = published.wait(differs(published.current), 60_000);
  cluster.lead(serving('overlord', node('b:8090'), 1));
  await over;
  expect(told).toBe(1);
  expect(errors.lines).toMatchObject([{ place: 'admin', error: 'Error: thrown on purpose' }]);
  stop();
  cluster.lead(serving('overlord', node('c:8090'), 2));
  expect(told).toBe(1);
});

test('as many wait as may', () => {
  const small = publish(2);
  const waits = [0, 1].map(() => small.wait(differs(small.current), 60_000));
  expect(small.full).toBe(true);
  waits[0]?.leave();
  expect(small.full).toBe(false);
  small.close();
});
