/** Days on which servers go out of support, by product and series, as their makers announce them. */
const ENDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // https://www.postgresql.org/support/versioning/
  PostgreSQL: {
    '10': '2022-11-10',
    '11': '2023-11-09',
    '12': '2024-11-21',
    '13': '2025-11-13',
    '14': '2026-11-12',
    '15': '2027-11-11',
    '16': '2028-11-09',
    '17': '2029-11-08',
    '18': '2030-11-14',
  },
  // Oracle Lifetime Support Policy, "MySQL Releases": extended support; an innovation release lasts until the next one.
  MySQL: {
    '5.6': '2021-02-28',
    '5.7': '2023-10-31',
    '8.0': '2026-04-30',
    '8.1': '2023-10-25',
    '8.2': '2023-12-14',
    '8.3': '2024-04-10',
    '8.4': '2032-04-30',
    '9.0': '2024-10-15',
    '9.1': '2025-01-21',
    '9.2': '2025-04-15',
    '9.3': '2025-07-22',
    '9.4': '2025-10-21',
    '9.5': '2026-01-20',
    '9.6': '2026-04-21',
    '9.7': '2034-04-21',
  },
  // https://mariadb.org/about/#maintenance-policy
  MariaDB: {
    '10.3': '2023-05-25',
    '10.4': '2024-06-18',
    '10.5': '2025-06-24',
    '10.6': '2026-07-06',
    '10.7': '2023-02-09',
    '10.8': '2023-05-20',
    '10.9': '2023-08-22',
    '10.10': '2023-11-17',
    '10.11': '2028-02-16',
    '11.0': '2024-06-06',
    '11.1': '2024-08-21',
    '11.2': '2024-11-21',
    '11.3': '2024-05-29',
    '11.4': '2029-05-29',
    '11.5': '2024-11-21',
    '11.6': '2025-02-13',
    '11.7': '2025-05-12',
    '11.8': '2028-06-04',
    '12.0': '2025-11-07',
  },
};
/** The oldest series that is listed; what is older is out of support as well. */
const OLDEST: Readonly<Record<string, readonly [number, number]>> = {
  PostgreSQL: [10, 0],
  MySQL: [5, 6],
  MariaDB: [10, 3],
};

/**
 * Returns the day, `2026-11-12`, on which a version goes out of support; null where that is not known here, as of a
 * version that is newer than this list.
 */
export function supportEnd(product: string, version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const series = product === 'PostgreSQL' ? String(major) : `${major}.${minor}`;
  const known = ENDS[product]?.[series];
  if (known !== undefined) return known;
  const [oldestMajor, oldestMinor] = OLDEST[product] ?? [0, 0];
  const isOlder = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  return version !== '' && isOlder ? 'long ago' : null;
}
