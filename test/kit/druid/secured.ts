import { inject } from 'vitest';
import { ingestionTask } from '../../../tools/druid-cluster/dataset.ts';
import { eventually } from '../eventually.ts';
import { type RunningGateway, startGateway } from '../gateway/gateway-process.ts';
import { ADMIN, type SecuredCluster } from './secured-setup.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The secured cluster; the first who asks waits until it is there. */
export async function securedCluster(): Promise<SecuredCluster> {
  const response = await fetch(inject('secured').control);
  if (response.status !== 200) throw new Error(await response.text());
  return (await response.json()) as SecuredCluster;
}

/** The built program in front of it. */
export async function gatewayForSecured(...args: string[]): Promise<RunningGateway> {
  const { zookeeper } = await securedCluster();
  const gateway = await startGateway('--zookeeper', zookeeper, ...args);
  await gateway.until(({ leaders: { coordinator, overlord }, brokers }) => {
    const ready = brokers.filter((broker) => broker.ready);
    return coordinator.state === 'serving' && overlord.state === 'serving' && ready.length === 2;
  });
  return gateway;
}

/** The header of basic authentication, or none. */
export function authorization(credentials: Credentials | null): Record<string, string> {
  if (credentials === null) return {};
  const { user, password } = credentials;
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

export interface Asked {
  readonly method?: string;
  readonly as?: Credentials | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request, by default a GET (with a body, a POST in JSON) of the administrator. */
export function ask(url: string, { method, as = ADMIN, body, headers }: Asked = {}): Promise<Response> {
  return fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...authorization(as),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    redirect: 'manual',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** The same, whose answer must be one of 2xx: its body. */
export async function askWell(url: string, asked: Asked = {}): Promise<unknown> {
  const response = await ask(url, asked);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} was answered with ${response.status}: ${text}`);
  return text === '' ? null : JSON.parse(text);
}

/** Rows in a table of the secured cluster, there when this resolves. */
export async function load(url: string, table: string, rows: readonly object[]): Promise<void> {
  const submitted = await askWell(`${url}/druid/indexer/v1/task`, {
    body: ingestionTask(table, rows, ['k', { type: 'long', name: 'n' }]),
  });
  await taskSucceeds(url, (submitted as { task: string }).task);
  await atEveryBroker(async (origin) => (await count(origin, table)) === rows.length);
}

/** Waits until it holds at each Broker: each learns of tables and users by itself. */
export async function atEveryBroker(holds: (origin: string) => Promise<boolean>): Promise<void> {
  for (const { role, port } of (await securedCluster()).nodes) {
    if (role === 'broker') await eventually(() => holds(`http://127.0.0.1:${port}`));
  }
}

/** Waits until a task has ended; rejects unless that was a success. */
export async function taskSucceeds(url: string, id: string): Promise<void> {
  await eventually(async () => {
    const response = await ask(`${url}/druid/indexer/v1/task/${id}/status`);
    if (response.status !== 200) return false;
    const { status } = (await response.json()) as { status: { statusCode: string; errorMsg?: string } };
    if (status.statusCode === 'FAILED') throw new Error(`task ${id} failed: ${status.errorMsg ?? ''}`);
    return status.statusCode === 'SUCCESS';
  });
}

/** How many rows a table has; null while the Broker does not know it. */
async function count(url: string, table: string): Promise<number | null> {
  const response = await ask(`${url}/druid/v2/sql`, { body: { query: `SELECT COUNT(*) c FROM "${table}"` } });
  const rows = (await response.json()) as { c: number }[];
  return response.status === 200 ? (rows[0]?.c ?? null) : null;
}

/** What a secured node's answer is judged by. */
export interface Verdict {
  readonly status: number;
  readonly challenges: string | null;
  readonly contentType: string | null;
  readonly body: string;
}

export async function verdict(response: Response): Promise<Verdict> {
  const { status, headers } = response;
  return {
    status,
    challenges: headers.get('www-authenticate'),
    contentType: headers.get('content-type'),
    // Jetty's pages name an object by its address in one process.
    body: (await response.text()).replace(/Servlet-[0-9a-f]+</g, 'Servlet<'),
  };
}
