import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import { installAccount } from '../kit/discovery/api-server-rig.ts';
import { ApiServer } from '../kit/kubernetes/api-server.ts';
import { slicesSuite } from '../unit/feeds/kubernetes/suite.ts';
import { renderRoles } from './chart.ts';

const { kubernetes } = inject('engines');
const helm = inject('helm');

describe.runIf('path' in kubernetes && 'path' in helm)('Kubernetes', () => {
  let api: ApiServer;
  let rigs = 0;

  beforeAll(async () => {
    api = await ApiServer.start('path' in kubernetes ? kubernetes.path : '');
  });

  afterAll(() => api.close());

  slicesSuite('EndpointSlices at a real API server, by the rights of the chart', async () => {
    const namespace = `slices-${rigs++}`;
    await api.makeNamespace(namespace);
    const values = ['feeds.kubernetes.services.coordinator=c', 'feeds.kubernetes.services.overlord=o'];
    const folder = 'path' in helm ? helm.path : '';
    const roles = await renderRoles(folder, namespace, values, 'leader-services');
    const scratch = await mkdtemp(join(tmpdir(), 'druid-gateway-slices-'));
    const account = { namespace, name: 'gw-druid-gateway' };
    const { tokenFile } = await installAccount(api, roles, account, scratch);
    return {
      target: { server: api.url, caFile: api.caFile, tokenFile },
      namespace,
      down: () => api.down(),
      up: () => api.up(),
      close: () => rm(scratch, { recursive: true }),
    };
  });
});
