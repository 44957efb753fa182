import { expect, test } from 'vitest';
import { assignment, isResource } from '../../../src/feeds/envoy.ts';
import { PublishedView } from '../../../src/feeds/published-view.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, node, serving } from '../admin/fakes.ts';
import { broker } from './views.ts';

const cluster = new FakeCluster();
const published = new PublishedView({
  cluster,
  discovery: new FakeDiscovery(),
  draining: () => false,
  errors: recordErrors(),
});
const addressOf = (host: string): string | null => (host === 'lost' ? null : `10.0.0.${host.length}`);
const endpoint = (address: string, port: number, hostname: string) => ({
  endpoint: { address: { socket_address: { address, port_value: port } }, hostname },
});

test('a leader that serves is the only endpoint, and one that does not is none', () => {
  const overlord = () => assignment(published.current, 'druid-overlord-leader', addressOf).endpoints;
  expect(overlord()).toEqual([{ lb_endpoints: [] }]);
  cluster.lead({
    ...serving('overlord', node('m:8090'), 1),
    state: 'elected',
    waitReason: 'leader_initialising',
  });
  expect(overlord()).toEqual([{ lb_endpoints: [] }]);
  cluster.lead(serving('overlord', node('m:8090'), 1));
  expect(overlord()).toEqual([
    {
      lb_endpoints: [
        { ...endpoint('10.0.0.1', 8090, 'm'), health_status: 'HEALTHY', load_balancing_weight: 100 },
      ],
    },
  ]);
});

test('Brokers of a service are there with weights, a cordoned one drains, and others are not there', () => {
  const warming = node('bb:8082');
  warming.takeShare(0.1);
  cluster.show({
    brokers: [
      broker(node('b:8082'), { ready: false, cordoned: true }),
      broker(warming),
      broker(node('bbb:8082'), { ready: false }),
      broker(node('lost:8082')),
      broker(node('hot:8082'), { service: 'druid/hot' }),
    ],
  });
  expect(assignment(published.current, 'druid-brokers:druid/broker', addressOf)).toEqual({
    '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
    cluster_name: 'druid-brokers:druid/broker',
    endpoints: [
      {
        lb_endpoints: [
          { ...endpoint('10.0.0.1', 8082, 'b'), health_status: 'DRAINING', load_balancing_weight: 1 },
          { ...endpoint('10.0.0.2', 8082, 'bb'), health_status: 'HEALTHY', load_balancing_weight: 10 },
        ],
      },
    ],
  });
});

test('a node that is reached at an address is an endpoint there, under its own name', () => {
  const [leader, one] = [node('lost:8081'), node('lost:8082')];
  const endpoints = (name: string) => assignment(published.current, name, (host) => host).endpoints;
  cluster.lead(serving('coordinator', leader, 1));
  cluster.show({ brokers: [broker(one)] });
  leader.reachAt('10.0.0.8');
  one.reachAt('10.0.0.9');
  cluster.show({});
  const { version } = published.current;
  expect(endpoints('druid-coordinator-leader')).toMatchObject([
    { lb_endpoints: [endpoint('10.0.0.8', 8081, 'lost')] },
  ]);
  expect(endpoints('druid-brokers:druid/broker')).toMatchObject([
    { lb_endpoints: [endpoint('10.0.0.9', 8082, 'lost')] },
  ]);
  // The address alone changes.
  one.reachAt('10.0.0.10');
  cluster.show({});
  expect(published.current.version).not.toBe(version);
  expect(endpoints('druid-brokers:druid/broker')).toMatchObject([
    { lb_endpoints: [endpoint('10.0.0.10', 8082, 'lost')] },
  ]);
});

test('only names of leaders and of Brokers are resources', () => {
  const names = [
    'druid-coordinator-leader',
    'druid-brokers:x',
    'druid-brokers:',
    'coordinator',
    '__proto__',
    '',
  ];
  expect(names.filter(isResource)).toEqual(['druid-coordinator-leader', 'druid-brokers:x']);
});
