import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** `minor`: of the young generation. `last-resort`: of all there is, also of code that can be made again. */
export type Collection =
  | { readonly type: 'minor' }
  | { readonly type: 'major'; readonly flavor: 'last-resort' };

let gc: ((collection: Collection) => void) | null = null;

/**
 * Has V8 collect garbage before it returns. Node.js has no public interface for that: `--expose-gc` is set at run time,
 * and the function taken from a new context.
 */
export function collectGarbage(collection: Collection): void {
  if (gc === null) {
    setFlagsFromString('--expose-gc');
    gc = runInNewContext('gc') as NonNullable<typeof gc>;
  }
  gc(collection);
}
