import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Where the program is built, each file has its map beside it. */
const HERE = new URL('.', import.meta.url).href;
/** Most frames that are looked up. */
const MOST_FRAMES = 30;
const PLACE = /(file:\/\/[^\s()]+\.js):(\d+):(\d+)/g;

/**
 * Returns a stack with the places of the sources in place of those in the built files. Reading the maps takes some ten
 * milliseconds, in which nobody is served. Node's own `--enable-source-maps` would read all of them at the start, and
 * keep them: 45 MB and 120 ms. Returns what it cannot read as it is; never throws.
 */
export function sourceStack(stack: string): string {
  const maps = new Map<string, SourceMap | null>();
  let frames = 0;
  return stack.replace(PLACE, (place, url: string, line: string, column: string) => {
    if (!url.startsWith(HERE) || ++frames > MOST_FRAMES) return place;
    if (!maps.has(url)) maps.set(url, mapOf(url));
    const entry = maps.get(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return place;
    const { originalSource, originalLine, originalColumn } = entry;
    const source = originalSource.replace(/^(?:\.\.\/)+/, '').replace(/^.*?(?=node_modules\/)/, '');
    return `${source}:${originalLine + 1}:${originalColumn + 1}`;
  });
}

function mapOf(url: string): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    return null;
  }
}
