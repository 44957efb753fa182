import { GROUPS } from '../../src/doctor/checks.ts';
import { table } from './table.ts';

/** Every check of doctor: the tables of docs/doctor.md, one for each group. */
export function checkTables(): string {
  return GROUPS.map(({ title, about, checks }, g) => {
    const rows = checks.map(({ id, title: what, remedy, source }, i) => [
      `${g + 1}.${i + 1}`,
      `\`${id}\``,
      what,
      remedy,
      linked(source),
    ]);
    const where =
      about === undefined ? '' : `Where ${title} is \`discovery.type\` or in \`discovery.fallback\`.\n\n`;
    return `### ${g + 1} ${title}\n\n${where}${table(['number', 'id', 'what should be so', 'what to do where it is not', 'source'], rows)}`;
  }).join('\n\n');
}

/** Sources of this repository are named from its root; the page is in `docs/`. */
function linked(source: string): string {
  if (source.startsWith('https:')) return `<${source}>`;
  return source
    .replaceAll(/\bdocs\/([\w/-]+\.md)/g, '[$&]($1)')
    .replaceAll(/\bsrc\/[\w/.-]+/g, '[$&](../$&)');
}
