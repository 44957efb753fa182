import { loadConfig } from '../../src/config/load.ts';
import type { Report } from '../../src/doctor/examine.ts';
import type { GatewaySource } from '../../src/doctor/gather.ts';
import { createDiagnose, type DiagnoseOptions } from '../../src/gateway/diagnose.ts';
import { recordErrors } from './gateway/recorded-errors.ts';

/** A place where no gateway runs. */
export const NO_GATEWAY: GatewaySource = {
  where: 'nowhere',
  expected: false,
  read: () => Promise.reject(new Error('there is none')),
};

/**
 * What doctor says of a set-up, with keys of the configuration as `{ ZOOKEEPER__BASE_PATH: '/druid' }`; `connect` is null where
 * they name another source. Rejects if there was an error of the gateway's own.
 */
export async function diagnosed(
  connect: string | null,
  keys: Readonly<Record<string, string>> = {},
  options: Partial<DiagnoseOptions> = {},
): Promise<Report> {
  const environment = Object.fromEntries(
    Object.entries(keys).map(([key, value]) => [`DRUID_GATEWAY__${key}`, value]),
  );
  const errors = recordErrors();
  const diagnose = createDiagnose(
    loadConfig({ flags: connect === null ? {} : { zookeeper: connect }, environment }),
  );
  const report = await diagnose({ errors, gateway: NO_GATEWAY, ...options });
  if (errors.total > 0) throw new Error(JSON.stringify(errors.lines));
  return report;
}

/** What is not as it should be, as `id RESULT`. */
export function wrongOf({ checks }: Report): string[] {
  return checks
    .filter(({ result }) => result === 'WARN' || result === 'FAIL')
    .map(({ id, result }) => `${id} ${result}`);
}

/** What a check saw. */
export function evidenceOf({ checks }: Report, id: string): string {
  return checks.find((check) => check.id === id)?.evidence ?? '';
}
