import { readFileSync } from 'node:fs';
import { FORMATS } from '../config/formats.ts';
import type { Config } from '../config/schema.ts';
import { codeOf } from '../config/yaml-source.ts';

/**
 * The headers of requests to the receiver: those of the configuration, then those of the file, a `Name: value` on each
 * line; the last of a name counts. Throws an Error of one sentence, without the content, if the file cannot be used.
 */
export function headersOf({ headers, headersFile }: Config['tracing']['otlp']): Record<string, string> {
  const lines = [...headers, ...(headersFile === undefined ? [] : linesOf(headersFile))];
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function linesOf(file: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`tracing.otlp.headersFile: ${file} cannot be read (${codeOf(error)})`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.flatMap((line, i) => {
    if (line === '') return [];
    if (FORMATS['header-line'](line)) return [line];
    throw new Error(
      `tracing.otlp.headersFile: line ${i + 1} of ${file} is no header of the form "Name: value"`,
    );
  });
}
