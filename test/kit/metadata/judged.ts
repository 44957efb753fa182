import { loadConfig } from '../../../src/config/load.ts';
import { examine, type Report } from '../../../src/doctor/examine.ts';
import type { Facts } from '../../../src/doctor/facts.ts';
import { askStore } from '../../../src/doctor/store/ask-store.ts';
import { type StoreLogin, storeTarget } from '../../../src/doctor/store/store-target.ts';

const NOBODY = { latch: null, answers: [] } as const;
/** Facts of doctor where there is nothing but a metadata store. */
const NOTHING: Omit<Facts, 'store'> = {
  config: loadConfig({ flags: { zookeeper: 'zk:2181' } }),
  zookeeper: null,
  kubernetes: null,
  consul: null,
  dns: null,
  nodes: [],
  leadership: { coordinator: NOBODY, overlord: NOBODY },
  properties: [],
  guarded: null,
  watched: null,
  gateway: { where: 'nowhere', expected: false, status: null, detail: null },
};

/** Asks a metadata store as doctor does, and judges it; of the report only what is of the store. */
export async function judged(url: string, login: StoreLogin = {}): Promise<Report> {
  const errors: unknown[] = [];
  const facts = { ...NOTHING, store: await askStore(storeTarget(url, login)) };
  const report = examine(facts, new Set(), (error) => errors.push(error));
  if (errors.length > 0) throw errors[0];
  return { ...report, checks: report.checks.filter(({ id }) => id.startsWith('ha.metadata-')) };
}
