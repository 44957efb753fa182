import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { ExchangeRecord } from '../../../src/exchange/ports/record.ts';
import { createServing, type Serving } from '../../../src/gateway/create-serving.ts';
import { exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { FakeCluster } from '../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';

let serving: Serving;

afterEach(async () => {
  await serving.stop({ delay: 0, drain: 100 });
});

/** What comes of one request, with this configuration. */
async function ask(
  environment: Record<string, string>,
  ...headers: string[]
): Promise<{ answer: RawAnswer; record: ExchangeRecord | undefined }> {
  const records: ExchangeRecord[] = [];
  serving = createServing({
    config: loadConfig({ environment: { DRUID_GATEWAY__LISTEN: '127.0.0.1:0', ...environment } }),
    cluster: new FakeCluster(),
    logger: pino({ level: 'silent' }),
    sink: (record) => void records.push(record),
    errors: recordErrors(),
  });
  const { port } = await serving.listen();
  const lines = ['GET /proxy/enabled HTTP/1.1', 'Host: a', ...headers, '', ''];
  const answer = await exchangeRaw(port, lines.join('\r\n'));
  return { answer, record: records[0] };
}

test.each([
  [{}, '127.0.0.1'],
  [{ TRUST: '127.0.0.0/8' }, '203.0.113.7'],
  [{ TRUST: '127.0.0.0/8, 203.0.113.0/24' }, '10.1.1.1'],
  [{ TRUST: '10.0.0.0/8' }, '127.0.0.1'],
  [{ HOPS: '1' }, '203.0.113.7'],
  [{ HOPS: '2' }, '10.1.1.1'],
  [{ HOPS: '1', HEADER: 'forwarded' }, '198.51.100.2'],
])('with forwarded %j the client is %s', async (forwarded, address) => {
  const keys = Object.entries(forwarded).map(([key, value]) => [`DRUID_GATEWAY__FORWARDED__${key}`, value]);
  const told = ['X-Forwarded-For: 10.1.1.1, 203.0.113.7', 'Forwarded: for=10.1.1.1, for=198.51.100.2'];
  const { record } = await ask(Object.fromEntries(keys) as Record<string, string>, ...told);
  expect(record?.remoteAddress).toBe(address);
});

test('cors is what the configuration says', async () => {
  const environment = {
    DRUID_GATEWAY__CORS__ORIGINS: 'https://bi.example.com',
    DRUID_GATEWAY__CORS__CREDENTIALS: 'true',
  };
  const { answer } = await ask(environment, 'Origin: https://bi.example.com');
  expect(answer.header('access-control-allow-origin')).toBe('https://bi.example.com');
  expect(answer.header('access-control-allow-credentials')).toBe('true');
});
