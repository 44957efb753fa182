import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Liveness } from '../../../src/admin/liveness.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { ContainedEmitter } from '../../../src/faults/internal-errors.ts';
import { createGateway, type Gateway } from '../../../src/gateway/gateway.ts';
import { until } from '../../kit/gateway/two-workers.ts';

let lines: Record<string, unknown>[];
let gateway: Gateway;

beforeEach(() => {
  lines = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  const environment = {
    DRUID_GATEWAY__DISCOVERY__TYPE: 'static',
    DRUID_GATEWAY__STATIC__BROKERS: 'http://127.0.0.1:1',
    DRUID_GATEWAY__LISTEN: '127.0.0.1:0',
    DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:0',
    DRUID_GATEWAY__SHUTDOWN__DELAY: '0',
    DRUID_GATEWAY__SHUTDOWN__DRAIN: '400ms',
  };
  gateway = createGateway(loadConfig({ environment }), { logger: pino({}, stream), version: '0' });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await gateway.stop();
});

test('the address that is told has the base path', async () => {
  const environment = {
    DRUID_GATEWAY__DISCOVERY__TYPE: 'static',
    DRUID_GATEWAY__STATIC__BROKERS: 'http://127.0.0.1:1',
    DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:0',
  };
  const flags = { listen: '127.0.0.1:0', 'base-path': '/druid-prod/' };
  const below = createGateway(loadConfig({ environment, flags }), {
    logger: pino({ level: 'silent' }),
    version: '0',
  });
  try {
    const { listen, admin } = await below.start();
    expect(listen).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/druid-prod$/);
    expect(await (await fetch(`${listen}/status/health`)).text()).toBe('true');
    expect((await fetch(`${new URL(listen).origin}/status/health`)).status).toBe(404);
    // The admin listener is not below it.
    expect((await fetch(`${admin}/health/live`)).status).toBe(200);
    expect((await fetch(`${admin}/druid-prod/health/live`)).status).toBe(404);
    const status = (await (await fetch(`${admin}/status`)).json()) as { config: { listen: object } };
    expect(status.config.listen).toMatchObject({ basePath: '/druid-prod' });
  } finally {
    await below.stop();
  }
});

/** The internal errors in the log. */
const errors = (): object[] => lines.filter(({ msg }) => msg === 'internal error');

describe('an error in a timer', () => {
  test('that looks whether the gateway is live is told, and the next one looks again', async () => {
    const look = vi.spyOn(Liveness.prototype, 'serves').mockImplementationOnce(() => {
      throw new Error('at the look');
    });
    await until(() => look.mock.calls.length === 2);
    expect(errors()).toMatchObject([{ place: 'admin', error: 'Error: at the look' }]);
  });

  test('that ends all waiting before the end of a shutdown is told, and the gateway stops all the same', async () => {
    const { listen } = await gateway.start();
    const answer = new Promise<string>((resolve) => {
      get(`${listen}/druid/v2/datasources`, (response) =>
        text(response).then(resolve, () => resolve('cut')),
      ).on('error', () => resolve('cut'));
    });
    await new Promise((resolve) => setImmediate(resolve));
    const off = vi.spyOn(ContainedEmitter.prototype, 'off').mockImplementationOnce(() => {
      throw new Error('at the end of all waiting');
    });
    await gateway.stop();
    expect(off.mock.calls.length).toBeGreaterThan(1);
    expect(errors()).toMatchObject([{ place: 'request', error: 'Error: at the end of all waiting' }]);
    expect(await answer).toContain('no_ready_broker');
  });
});
