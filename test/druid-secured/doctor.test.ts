import { expect, test } from 'vitest';
import { diagnosed, evidenceOf, wrongOf } from '../kit/doctor.ts';
import { authorization, securedCluster } from '../kit/druid/secured.ts';
import { ADMIN } from '../kit/druid/secured-setup.ts';

/** What is true of the secured cluster: one server, one process that is both masters, and Derby. */
const LONELY = ['zk.session WARN', 'ha.zookeeper FAIL', 'ha.coordinators FAIL', 'ha.overlords FAIL'];

test('without credentials doctor says what they would tell, and nothing that is not so', async () => {
  const { zookeeper } = await securedCluster();
  const report = await diagnosed(zookeeper);
  expect(wrongOf(report)).toEqual(LONELY);
  expect(evidenceOf(report, 'lead.agree')).toContain('without credentials');
  expect(evidenceOf(report, 'ha.metadata')).toContain('--druid-user');
  expect(evidenceOf(report, 'node.versions')).toContain('--druid-user');
});

test('with credentials it knows versions, the metadata store, and whom `leader` names', async () => {
  const { zookeeper } = await securedCluster();
  const report = await diagnosed(zookeeper, {}, { headers: authorization(ADMIN) });
  expect(wrongOf(report)).toEqual([...LONELY.slice(0, 2), 'ha.metadata FAIL', ...LONELY.slice(2)]);
  expect(evidenceOf(report, 'node.versions')).toBe('27.0.0 on 5 of 5 nodes');
  expect(evidenceOf(report, 'lead.agree')).toContain('by 1 of 1 masters');
  expect(JSON.stringify(report)).not.toContain(ADMIN.password);
});

test('with a wrong password it is as without one', async () => {
  const { zookeeper } = await securedCluster();
  const headers = authorization({ user: 'admin', password: 'guessed' });
  const report = await diagnosed(zookeeper, {}, { headers });
  expect(wrongOf(report)).toEqual(LONELY);
});
