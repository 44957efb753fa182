import { isTree, type Path } from './schema-walk.ts';

/** Reports backends of HAProxy that are driven for two ends, or for none. `backends` is the section of that name. */
export function validateHaproxy(backends: unknown, add: (path: Path, what: string) => void): void {
  if (!isTree(backends)) return;
  const { coordinator, overlord, brokers } = backends;
  const list = Array.isArray(brokers) ? brokers.filter(isTree) : [];
  const named: [Path, unknown][] = [
    [['coordinator'], coordinator],
    [['overlord'], overlord],
    ...list.map(({ backend }, i): [Path, unknown] => [['brokers', i, 'backend'], backend]),
  ];
  const given = named.filter(([, name]) => name !== undefined);
  if (given.length === 0) add([], 'names no backend');
  const seen = new Set<unknown>();
  for (const [path, name] of given) {
    if (seen.has(name)) add(path, `${String(name)} is given twice; expected a backend of its own`);
    seen.add(name);
  }
  const services = new Set<unknown>();
  for (const [i, { service }] of list.entries()) {
    if (services.has(service))
      add(['brokers', i, 'service'], `there are two backends for ${String(service)}`);
    services.add(service);
  }
}

/** As `JitterFactor` of client-go, whose `LeaderElector` asks for the same. */
const JITTER = 1.2;

/** Reports times of a Lease by which two gateways could hold it, and Services for two ends or for none. */
export function validateKubernetesFeed(feed: unknown, add: (path: Path, what: string) => void): void {
  if (!isTree(feed)) return;
  const { services, leaseDuration, renewDeadline, retryPeriod } = feed;
  if (isTree(services)) {
    const { coordinator, overlord } = services;
    if (coordinator === undefined && overlord === undefined) add(['services'], 'names no Service');
    else if (coordinator === overlord) {
      add(['services', 'overlord'], `${String(overlord)} is given twice; expected a Service of its own`);
    }
  }
  if (
    typeof leaseDuration !== 'number' ||
    typeof renewDeadline !== 'number' ||
    typeof retryPeriod !== 'number'
  )
    return;
  if (leaseDuration % 1_000 !== 0) add(['leaseDuration'], 'expected whole seconds, as a Lease has them');
  if (renewDeadline >= leaseDuration) {
    add(['renewDeadline'], 'is not below leaseDuration, so two gateways could write at the same time');
  }
  if (renewDeadline <= retryPeriod * JITTER) {
    add(
      ['renewDeadline'],
      `is not above ${JITTER} times retryPeriod, so that the Lease would be lost again and again`,
    );
  }
}
