import { distance } from 'fastest-levenshtein';
import { formatPath, leaves, type Path, type SchemaNode } from './schema-walk.ts';

/** The candidate that was most likely meant, or null where none is near. */
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

/** The key that was most likely meant by one that a section does not have: a sibling, or the same name elsewhere. */
export function nearestKey(section: SchemaNode, path: Path, key: string): string | null {
  const sibling = nearest(key, Object.keys(section.properties ?? {}));
  if (sibling !== null) return formatPath([...path, sibling]);
  const elsewhere = leaves().find(([leaf]) => String(leaf.at(-1)).toLowerCase() === key.toLowerCase());
  return elsewhere === undefined ? null : formatPath(elsewhere[0]);
}
