import { inject } from 'vitest';
import { eventually } from '../eventually.ts';
import type { NodeInfo } from './druid-setup.ts';

/** Druid's own Router in front of the shared cluster. */
export interface DruidRouter {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts one, and waits until it knows so many Brokers. */
export async function startRouter(brokers: number): Promise<DruidRouter> {
  const { control } = inject('druid');
  const response = await fetch(`${control}/router`, { method: 'PUT' });
  if (response.status !== 200) throw new Error(await response.text());
  const router = ((await response.json()) as NodeInfo[]).find(({ role }) => role === 'router');
  if (router === undefined) throw new Error('there is no Router');
  const { name, port } = router;
  await eventually(async () => {
    const listed = await fetch(`http://127.0.0.1:${port}/druid/router/v1/brokers`);
    const { 'druid/broker': known = [] } = (await listed.json()) as Record<string, string[]>;
    return known.length === brokers;
  });
  return {
    port,
    async stop() {
      await fetch(`${control}/${name}`, { method: 'DELETE' });
    },
  };
}
