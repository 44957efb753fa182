import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startJdbc } from '../kit/druid/jdbc.ts';
import { gatewayForSecured } from '../kit/druid/secured.ts';
import { ADMIN } from '../kit/druid/secured-setup.ts';
import type { RunningGateway } from '../kit/gateway/gateway-process.ts';

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await gatewayForSecured();
});
afterAll(async () => {
  // The credentials of JDBC are in bodies.
  expect(gateway.log()).toContain('avatica');
  expect(gateway.log()).not.toContain('s3cret');
  expect(await gateway.stop()).toBe(0);
});

describe.each(['json', 'protobuf'] as const)('the Avatica driver speaking %s', (format) => {
  test('is let in with user and password', async () => {
    const clients = await startJdbc(gateway.url, format, 10, ADMIN);
    const { rounds, broken, errors } = await clients.stop();
    expect({ broken, errors }).toEqual({ broken: 0, errors: {} });
    expect(rounds).toBeGreaterThanOrEqual(10);
  });

  test.each([
    ['a wrong password', { user: ADMIN.user, password: 'wr0ng-s3cret' }],
    ['no credentials', undefined],
  ])('is kept out with %s', async (_, credentials) => {
    const clients = await startJdbc(gateway.url, format, 2, credentials);
    const { rounds, broken, errors } = await clients.stop();
    expect({ rounds, broken }).toEqual({ rounds: 0, broken: 2 });
    expect(Object.keys(errors).join()).toMatch(/authenticat|unauthorized|401/i);
  });
});
