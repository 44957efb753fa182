import { expect, test, vi } from 'vitest';
import { eventually } from '../../kit/eventually.ts';
import { startGatewayFromSources } from '../../kit/gateway/gateway-process.ts';
import { COUNT, lives, until, useTwoWorkers } from '../../kit/gateway/two-workers.ts';

// Processes that start on a machine with other work to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const setup = useTwoWorkers();
const { start, request, holdAll, workers, pids } = setup;

test('each worker serves, and what they count adds up', async () => {
  await start();
  const held = await holdAll();
  expect(await setup.gateway.metric('druid_gateway_requests_in_flight')).toBe(held.length);
  expect(
    await setup.gateway.metric(`druid_gateway_upstream_outstanding{node="${setup.druid.hostAndPort}"}`),
  ).toBe(held.length);
  for (const answer of setup.unanswered) answer();
  expect(new Set(await Promise.all(held))).toEqual(new Set(['"late"']));
  const more = await Promise.all(Array.from({ length: 50 }, () => request('/druid/v2/datasources')));
  expect(new Set(more)).toEqual(new Set(['"now"']));
  expect(await setup.gateway.metric(COUNT)).toBe(held.length + 50);
  const broker = `{role="broker",service="druid/broker",node="${setup.druid.hostAndPort}"}`;
  expect(await setup.gateway.metric(`druid_gateway_upstream_attempts_total${broker}`)).toBe(held.length + 50);
  const { brokers } = (await setup.gateway.status()) as unknown as {
    brokers: { lastMinute: { attempts: number; errors: number; p99Ms: number } }[];
  };
  expect(brokers[0]?.lastMinute).toMatchObject({ attempts: held.length + 50, errors: 0 });
  expect(brokers[0]?.lastMinute.p99Ms).toBeGreaterThan(0);
  expect(await setup.gateway.metric('druid_gateway_requests_in_flight')).toBe(0);
  expect(await setup.gateway.metric('druid_gateway_view_complete')).toBe(1);
  expect(await setup.gateway.metric('druid_gateway_workers')).toBe(2);
});

test('a worker that is killed is replaced: only its own connections are cut, and no count falls', async () => {
  await start();
  const held = await holdAll();
  const [one, two] = await workers();
  if (one?.pid == null || two === undefined) throw new Error('there are no workers');
  await request('/druid/v2/datasources');
  expect(await setup.gateway.metric(COUNT)).toBe(1);
  process.kill(one.pid, 'SIGKILL');
  const cut = held.map((answer) => answer.then((body) => body === 'cut'));
  await until(() => !lives(one.pid ?? 0));
  for (let i = 0; i < 50; i++) expect(await request('/druid/v2/datasources')).toBe('"now"');
  await setup.gateway.until(({ workers: now = [] }) => now[0]?.state === 'serving' && now[0].restarts === 1);
  for (const answer of setup.unanswered) answer();
  expect((await Promise.all(cut)).filter(Boolean)).toHaveLength(one.inFlight);
  expect(await pids()).toEqual([expect.not.toBeOneOf([one.pid]), two.pid]);
  expect(await setup.gateway.metric('druid_gateway_worker_restarts_total')).toBe(1);
  expect(await setup.gateway.metric(COUNT)).toBe(1 + 50 + two.inFlight);
  const broker = `{role="broker",service="druid/broker",node="${setup.druid.hostAndPort}"}`;
  expect(await setup.gateway.metric(`druid_gateway_upstream_attempts_total${broker}`)).toBe(
    1 + 50 + two.inFlight,
  );
  // The new one knows the cluster and takes connections.
  expect((await holdAll()).length).toBeGreaterThan(1);
  expect(setup.gateway.log()).toContain('a worker ended; another takes its place');
});

test('a worker that gets SIGTERM drains and is replaced, and nothing is cut', async () => {
  await start();
  const held = await holdAll();
  const [one] = await pids();
  process.kill(one ?? 0, 'SIGTERM');
  await setup.gateway.until(({ workers: now = [] }) => now[0]?.state === 'draining');
  for (const answer of setup.unanswered) answer();
  expect(new Set(await Promise.all(held))).toEqual(new Set(['"late"']));
  await setup.gateway.until(({ workers: now = [] }) => now[0]?.state === 'serving' && now[0].restarts === 1);
  expect(await setup.gateway.metric(COUNT)).toBe(held.length);
});

test('SIGTERM drains all workers and ends with 0', async () => {
  await start();
  const held = await holdAll();
  const all = await pids();
  const stopped = setup.gateway.stop();
  await setup.gateway.until(({ workers: now = [] }) => now.every(({ state }) => state === 'draining'));
  expect(await (await fetch(`${setup.gateway.admin}/health/ready`)).json()).toMatchObject({
    reason: 'draining',
  });
  await until(() => setup.gateway.log().includes('"draining"'));
  for (const answer of setup.unanswered) answer();
  expect(new Set(await Promise.all(held))).toEqual(new Set(['"late"']));
  expect(await stopped).toBe(0);
  expect(all.filter(lives)).toEqual([]);
  expect(await request('/druid/v2/datasources')).toBe('cut');
});

test('from the first signal on balancers are told to send nothing more, and what comes is served', async () => {
  await start({ SHUTDOWN__DELAY: '10m' });
  const statusOf = async (path: string): Promise<number> => {
    const answer = await fetch(setup.gateway.url + path, { headers: { connection: 'close' } });
    await answer.text();
    return answer.status;
  };
  expect([await statusOf('/status/ready'), await statusOf('/status/health')]).toEqual([200, 200]);
  process.kill(setup.gateway.pid, 'SIGTERM');
  await until(() => setup.gateway.log().includes('"draining"'));
  await eventually(async () => {
    // Each worker is told by itself, and connections go round.
    const all = await Promise.all(Array.from({ length: 8 }, () => statusOf('/status/ready')));
    return all.every((status) => status === 503);
  });
  expect(await statusOf('/status/health')).toBe(200);
  expect(await setup.gateway.stop()).toBe(1);
});

test('a second signal ends all of it at once with 1', async () => {
  await start({ SHUTDOWN__DELAY: '10m' });
  const all = await pids();
  process.kill(setup.gateway.pid, 'SIGTERM');
  await until(() => setup.gateway.log().includes('"draining"'));
  expect(await setup.gateway.stop()).toBe(1);
  await until(() => !all.some(lives));
});

test('when the primary is killed its workers end what they have, and then themselves', async () => {
  await start();
  const held = await holdAll();
  const all = await pids();
  process.kill(setup.gateway.pid, 'SIGKILL');
  await setup.gateway.stop();
  for (const answer of setup.unanswered) answer();
  expect(new Set(await Promise.all(held))).toEqual(new Set(['"late"']));
  await until(() => !all.some(lives));
});

test('a worker that hangs keeps no scrape waiting and takes no new connection', async () => {
  await start();
  const [frozen = 0] = await pids();
  await request('/druid/v2/datasources');
  expect(await setup.gateway.metric(COUNT)).toBe(1);
  process.kill(frozen, 'SIGSTOP');
  try {
    for (let i = 0; i < 30; i++) expect(await request('/druid/v2/datasources')).toBe('"now"');
    expect(await setup.gateway.metric(COUNT)).toBe(31);
    expect(await setup.gateway.metric('druid_gateway_workers')).toBe(1);
  } finally {
    process.kill(frozen, 'SIGCONT');
  }
});

test('a Broker is drained when no worker has anything at it', async () => {
  await start();
  const held = await holdAll();
  const post = async (path: string): Promise<unknown> =>
    (
      await fetch(`${setup.gateway.admin}/brokers/${setup.druid.hostAndPort}/${path}`, { method: 'POST' })
    ).json();
  expect(await post('drain?timeout=0')).toMatchObject({ drained: false, outstanding: held.length });
  const drained = post('drain?timeout=60s');
  for (const answer of setup.unanswered.splice(1)) answer();
  expect(await post('drain?timeout=0')).toMatchObject({ drained: false });
  setup.unanswered[0]?.();
  expect(await drained).toMatchObject({ drained: true, outstanding: 0 });
  await Promise.all(held);
});

test('lines of the access log are whole, whoever wrote them', async () => {
  await start({ LOG__ACCESS: 'true' });
  const path = `/druid/v2/datasources/${'x'.repeat(900)}`;
  await Promise.all(Array.from({ length: 300 }, () => request(path)));
  expect(await setup.gateway.stop()).toBe(0);
  await until(() => setup.gateway.log().split('"msg":"request"}\n').length === 301);
  const lines = setup.gateway.log().trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toHaveLength(lines.length);
});

test('a port that is taken is one sentence, with code 1', async () => {
  await start();
  const taken = new URL(setup.gateway.url).host;
  await expect(
    startGatewayFromSources({ WORKERS: '2', LOG__LEVEL: 'silent' }, '--listen', taken),
  ).rejects.toThrow(
    `the gateway ended: druid-gateway: cannot listen on ${taken}: something else listens there`,
  );
});

test('a worker that takes no messages is killed and replaced', async () => {
  await start();
  const [frozen = 0, other] = await pids();
  process.kill(frozen, 'SIGSTOP');
  // Each changes the view, so that all workers are told.
  const act = (_: unknown, i: number): Promise<unknown> => {
    const action = i % 2 === 0 ? 'cordon' : 'return';
    return fetch(`${setup.gateway.admin}/brokers/${setup.druid.hostAndPort}/${action}`, { method: 'POST' });
  };
  while (lives(frozen)) await Promise.all(Array.from({ length: 100 }, act));
  await setup.gateway.until(({ workers: now = [] }) => now[0]?.state === 'serving' && now[0].restarts === 1);
  expect((await pids())[1]).toBe(other);
  expect(setup.gateway.log()).toContain('a worker takes no messages and is killed');
});
