import { expect, test } from 'vitest';
import { prometheusTargets } from '../../../src/feeds/prometheus.ts';
import { EMPTY_VIEW, node, serving } from '../admin/fakes.ts';
import { announced, snapshotOf } from './views.ts';

test('each node is one target, with its roles, what it leads, its version and its labels', () => {
  const leader = node('m1:8081');
  const view = {
    ...EMPTY_VIEW,
    leaders: { coordinator: serving('coordinator', leader, 1), overlord: serving('overlord', leader, 1) },
  };
  const snapshot = snapshotOf(
    announced('broker', 'https://[::1]:8282', {
      version: '37.0.0',
      labels: [
        ['zone', 'z"1'],
        ['rack-no', '7'],
        // No label replaces one of ours.
        ['', 'x'],
      ],
    }),
    announced('coordinator', 'http://m1:8081'),
    announced('overlord', 'http://m1:8081'),
  );
  expect(prometheusTargets(view, snapshot)).toEqual([
    {
      targets: ['m1:8081'],
      labels: {
        __meta_druid_node: 'm1:8081',
        __meta_druid_scheme: 'http',
        __meta_druid_host: 'm1',
        __meta_druid_port: '8081',
        __meta_druid_address: 'm1',
        __meta_druid_service: 'druid/coordinator',
        __meta_druid_role: 'coordinator',
        __meta_druid_roles: ',coordinator,overlord,',
        __meta_druid_leads: ',coordinator,overlord,',
      },
    },
    {
      targets: ['[::1]:8282'],
      labels: {
        __meta_druid_label_zone: 'z"1',
        __meta_druid_label_rack_no: '7',
        __meta_druid_label_: 'x',
        __meta_druid_node: '[::1]:8282',
        __meta_druid_scheme: 'https',
        __meta_druid_host: '[::1]',
        __meta_druid_port: '8282',
        __meta_druid_address: '[::1]',
        __meta_druid_service: 'druid/broker',
        __meta_druid_version: '37.0.0',
        __meta_druid_role: 'broker',
        __meta_druid_roles: ',broker,',
        __meta_druid_leads: '',
      },
    },
  ]);
});

test('a node that is reached at an address is a target there, under its own name', () => {
  const at = (address: string) => announced('broker', 'https://b0.druid:8282', { address });
  const told = (address: string) => prometheusTargets(EMPTY_VIEW, snapshotOf(at(address)));
  const name = { __meta_druid_node: 'b0.druid:8282', __meta_druid_host: 'b0.druid' };
  expect(told('10.1.2.3')).toMatchObject([
    { targets: ['10.1.2.3:8282'], labels: { ...name, __meta_druid_address: '10.1.2.3' } },
  ]);
  expect(told('fd00::1')).toMatchObject([
    { targets: ['[fd00::1]:8282'], labels: { ...name, __meta_druid_address: '[fd00::1]' } },
  ]);
});

test('without nodes the list is empty', () => {
  expect(prometheusTargets(EMPTY_VIEW, snapshotOf())).toEqual([]);
});
