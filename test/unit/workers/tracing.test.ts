import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useTwoWorkers } from '../../kit/gateway/two-workers.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../../kit/tracing/otlp-receiver.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
});
afterAll(() => receiver.close());

const gateway = useTwoWorkers();

test('each worker exports its own spans, the last ones at its end, and keeps no secret in its environment', async () => {
  await gateway.start(
    { TRACING__ENABLED: 'true', TRACING__DELAY: '1h', LOG__ACCESS: 'true' },
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hush',
      OTEL_SERVICE_NAME: 'edge',
    },
  );
  const held = await gateway.holdAll();
  for (const answer of gateway.unanswered) answer();
  await Promise.all(held);
  const response = await fetch(`${gateway.gateway.url}/druid/v2/datasources`, {
    headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, connection: 'close' },
  });
  expect(await response.text()).toBe('"now"');
  const all = held.length + 1;
  for (const pid of await gateway.pids()) {
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('hush');
  }
  expect(await gateway.gateway.metric('druid_gateway_spans_exported_total')).toBe(0);
  const lines = await gateway.lines('request', all);
  expect(await gateway.gateway.stop()).toBe(0);
  const servers = receiver.spans.filter(({ kind }) => kind === 'server');
  expect(receiver.spans).toHaveLength(2 * all);
  expect(servers.map(({ spanId }) => spanId).toSorted()).toEqual(
    lines.map(({ spanId }) => spanId).toSorted(),
  );
  expect(servers.filter(({ traceId }) => traceId === TRACE)).toHaveLength(1);
  expect(new Set(receiver.resources.map((resource) => resource['service.instance.id'])).size).toBe(2);
  expect(new Set(receiver.resources.map((resource) => resource['service.name']))).toEqual(new Set(['edge']));
  for (const { headers } of receiver.requests) expect(headers.authorization).toBe('Bearer hush');
  expect(gateway.gateway.log()).not.toContain('hush');
});
