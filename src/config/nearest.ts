import { distance } from 'fastest-levenshtein';
import { formatPath, leaves, type Path, type SchemaNode } from './schema-walk.ts';

/** Returns the candidate most likely meant by `name`, or null if none is close. */
export function nearest(name: string, candidates: readonly string[]): string | null {
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const steps = distance(wanted, candidate.toLowerCase());
    if (steps < least) {
      least = steps;
      best = candidate;
    }
  }
  return best;
}

/**
 * Returns the key most likely meant by an unknown key of a section: a sibling, or a key of that name elsewhere; else
 * null.
 */
export function nearestKey(section: SchemaNode, path: Path, key: string): string | null {
  const sibling = nearest(key, Object.keys(section.properties ?? {}));
  if (sibling !== null) return formatPath([...path, sibling]);
  const elsewhere = leaves().find(([leaf]) => String(leaf.at(-1)).toLowerCase() === key.toLowerCase());
  return elsewhere === undefined ? null : formatPath(elsewhere[0]);
}
