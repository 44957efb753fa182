import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Results } from './results.ts';

const FOLDER = new URL('results/', import.meta.url);
const PAGE = new URL('../docs/performance.md', import.meta.url);
const FIGURES = new URL('../docs/performance.json', import.meta.url);
const BEGIN = '<!-- The last run; written by `npm run bench -- --publish`. -->';
const END = '<!-- The end of the last run. -->';

/** Writes the outcome beside the bench, and returns where. */
export async function keep(results: Results, markdown: string): Promise<readonly string[]> {
  await mkdir(FOLDER, { recursive: true });
  const files = [new URL('last.md', FOLDER), new URL('last.json', FOLDER)] as const;
  await writeFile(files[0], markdown);
  await writeFile(files[1], json(results));
  return files.map((file) => fileURLToPath(file));
}

/** Puts the outcome into the documents. */
export async function publish(results: Results, markdown: string): Promise<void> {
  await writeFile(PAGE, replaceRun(await readFile(PAGE, 'utf8'), markdown));
  await writeFile(FIGURES, json(results));
}

/** The page with another run in place of the one between its marks. Throws where there are none. */
export function replaceRun(page: string, markdown: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/performance.md has no place for a run: ${BEGIN}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${markdown.trim()}\n\n${page.slice(end)}`;
}

/** One line for each measurement, so that a change can be read. */
function json(results: Results): string {
  const { measurements, ...rest } = results;
  const head = JSON.stringify(rest, null, 2).slice(0, -2);
  const lines = measurements.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  return `${head},\n  "measurements": [\n${lines}\n  ]\n}\n`;
}
