import { startFakeApiServer } from '../../../kit/kubernetes/fake-api-server.ts';
import { slicesSuite } from './suite.ts';

slicesSuite('EndpointSlices at a fake API server', async () => {
  const api = await startFakeApiServer();
  return {
    target: { server: api.url, tokenFile: null, caFile: null },
    namespace: 'druid',
    down: () => api.down(),
    up: () => api.up(),
    close: () => api.close(),
  };
});
