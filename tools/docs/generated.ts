import { checkTables } from './check-table.ts';
import { commandLine } from './command-line.ts';
import { editorSchema } from './editor-schema.ts';
import { keyTable } from './key-table.ts';
import { reasonTable } from './reason-table.ts';

/** A file that is made of the code, in whole or between two markers. */
export interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string;
  /** The whole file, given what is there now; throws where its markers are missing. */
  readonly make: (text: string) => string;
}

export const GENERATED: readonly GeneratedFile[] = [
  { path: 'docs/operations.md', make: (text) => between(text, 'reasons', reasonTable()) },
  { path: 'docs/configuration.md', make: (text) => between(text, 'keys', keyTable()) },
  { path: 'docs/command-line.md', make: commandLine },
  { path: 'docs/doctor.md', make: (text) => between(text, 'checks', checkTables()) },
  { path: 'config/schema.json', make: () => `${JSON.stringify(editorSchema(), null, 2)}\n` },
];

/** Puts `made` between the two comments in Markdown that are for it. */
export function between(text: string, name: string, made: string): string {
  const begin = `<!-- ${name}: made by npm run docs:generate -->\n`;
  const end = `\n<!-- end of ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1)
    throw new Error(`there is no place for the ${name}: ${begin.trim()} ... ${end.trim()}`);
  return `${text.slice(0, from)}${begin}\n${made}\n${text.slice(to)}`;
}
