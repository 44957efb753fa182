import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderScale } from '../../bench/scale/page.ts';
import type { ScaleResults } from '../../bench/scale/results.ts';
import { grafanaDashboard } from '../grafana/dashboard.ts';
import { alertTable } from './alert-table.ts';
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

const CHART = 'deploy/helm/druid-gateway';
const ALERTS = 'deploy/prometheus/alerts.yaml';
const RECORDING_RULES = 'deploy/prometheus/recording-rules.yaml';
const dashboard = (): string => `${JSON.stringify(grafanaDashboard(), null, 2)}\n`;

export const GENERATED: readonly GeneratedFile[] = [
  {
    path: 'docs/operations.md',
    make: (text) => between(between(text, 'reasons', reasonTable()), 'alerts', alertTable(read(ALERTS))),
  },
  { path: 'docs/configuration.md', make: (text) => between(text, 'keys', keyTable()) },
  { path: 'docs/command-line.md', make: commandLine },
  { path: 'docs/doctor.md', make: (text) => between(text, 'checks', checkTables()) },
  {
    path: 'docs/scale.md',
    make: (text) =>
      between(text, 'figures', renderScale(JSON.parse(read('docs/scale.json')) as ScaleResults)),
  },
  { path: 'config/schema.json', make: () => `${JSON.stringify(editorSchema(), null, 2)}\n` },
  { path: 'deploy/grafana/druid-gateway.json', make: dashboard },
  // A chart cannot read what is outside of it.
  { path: `${CHART}/files/dashboard.json`, make: dashboard },
  { path: `${CHART}/files/alerts.yaml`, make: () => read(ALERTS) },
  { path: `${CHART}/files/recording-rules.yaml`, make: () => read(RECORDING_RULES) },
];

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
}

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
