import { parse } from 'yaml';
import { table } from './table.ts';

/** As much of a file of alerting rules for Prometheus as is looked at. */
export interface AlertFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Every alert with its summary, from the text of such a file: the table of docs/operations.md. */
export function alertTable(text: string): string {
  const { groups } = parse(text) as AlertFile;
  const rows = groups
    .flatMap(({ rules }) => rules)
    .map(({ alert, for: duration = 'at once', labels, annotations }) => {
      const summary = (annotations.summary ?? '').replace(/\{\{ \$labels\.(\w+) \}\}/g, '`$1`');
      return [`\`${alert}\``, labels.severity ?? '', duration, summary];
    });
  return table(['alert', 'severity', 'after', 'what it says'], rows);
}
