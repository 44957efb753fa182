import { isDeepStrictEqual } from 'node:util';
import { redact } from './redact.ts';
import type { Config } from './schema.ts';
import { formatPath, leaves, type Path, valueAt } from './schema-walk.ts';

/** A key whose value differs between two configurations. */
export interface ChangedKey {
  readonly path: Path;
  /** As in messages: `limits.queue.maxWait`. Lists are one key. */
  readonly key: string;
  /** For display, secrets hidden; null where the key is not given. A changed secret looks the same before and after. */
  readonly from: unknown;
  readonly to: unknown;
}

/** Returns the keys that differ, in the order of the schema. */
export function changedKeys(from: Config, to: Config): readonly ChangedKey[] {
  const [shownFrom, shownTo] = [redact(from), redact(to)];
  return leaves()
    .filter(([path]) => !isDeepStrictEqual(valueAt(from, path), valueAt(to, path)))
    .map(([path]) => ({
      path,
      key: formatPath(path),
      from: valueAt(shownFrom, path) ?? null,
      to: valueAt(shownTo, path) ?? null,
    }));
}
