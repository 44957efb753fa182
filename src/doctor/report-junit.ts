import type { Outcome, Report } from './examine.ts';

/** Formats the report as JUnit's XML: FAIL is a failure, SKIP is skipped, the rest passes with its evidence. */
export function reportJunit({ checks, totals }: Report): string {
  const counts = `tests="${checks.length}" failures="${totals.fail}" skipped="${totals.skip}" errors="0"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `<testsuite name="druid-gateway doctor" ${counts}>`,
    ...checks.map(testCase),
    '</testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase({ id, title, result, evidence, remedy, source }: Outcome): string {
  const [group = ''] = id.split('.');
  const head = `<testcase classname="${attribute(group)}" name="${attribute(`${id}: ${title}`)}">`;
  const said = attribute(evidence);
  const inside =
    result === 'FAIL'
      ? `<failure message="${said}">${attribute(`${remedy} Source: ${source}`)}</failure>`
      : result === 'SKIP'
        ? `<skipped message="${said}"/>`
        : `<system-out>${result}: ${said}</system-out>`;
  return `${head}${inside}</testcase>`;
}

/** The report has no control characters, so these are all that mean something to XML. */
function attribute(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
