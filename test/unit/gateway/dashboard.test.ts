import { get } from 'node:http';
import { expect, test } from 'vitest';
import { useTwoWorkers } from '../../kit/gateway/two-workers.ts';

const gateway = useTwoWorkers();

/** Reads states of `/events` until one holds. */
function until(admin: string, holds: (status: Status) => boolean): Promise<Status> {
  return new Promise((resolve, reject) => {
    const request = get(`${admin}/events`, { agent: false }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines.filter((text) => text.startsWith('data: '))) {
          const status = JSON.parse(line.slice('data: '.length)) as Status;
          if (holds(status)) {
            resolve(status);
            request.destroy();
          }
        }
      });
    }).on('error', reject);
  });
}

interface Status {
  readonly workers?: readonly object[];
  readonly traffic: {
    readonly classes: Record<string, { rate: number; p50Ms: number | null }>;
    readonly refused: Record<string, number>;
  };
}

test('with workers the traffic of all of them is on the page, and the settings with their origins', async () => {
  await gateway.start();
  const { admin } = gateway.gateway;
  const asking = setInterval(() => void gateway.request(), 50);
  try {
    const status = await until(admin, ({ traffic }) => (traffic.classes.read?.rate ?? 0) > 2);
    expect(status.traffic.classes.read?.p50Ms).toBeGreaterThan(0);
    expect(status.workers).toHaveLength(2);
  } finally {
    clearInterval(asking);
  }
  await gateway.request('/no/such/path');
  const { traffic } = await until(admin, ({ traffic }) => traffic.refused.path_unknown !== undefined);
  expect(traffic.refused).toEqual({ path_unknown: 1 });
  const page = await (await fetch(`${admin}/`)).text();
  expect(page).toMatch(/>workers<.*>2<.*environment variable DRUID_GATEWAY__WORKERS/s);
});
