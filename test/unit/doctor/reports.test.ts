import { describe, expect, test } from 'vitest';
import { GROUPS } from '../../../src/doctor/checks.ts';
import { examine } from '../../../src/doctor/examine.ts';
import { reportJson } from '../../../src/doctor/report-json.ts';
import { reportJunit } from '../../../src/doctor/report-junit.ts';
import { reportText } from '../../../src/doctor/report-text.ts';
import { HEALTHY, TREE, ZOOKEEPER } from './made-up.ts';

const REFUSED = '/druid/internal-discovery/BROKER/<b>&"x"';
const report = examine({ ...HEALTHY, zookeeper: { ...ZOOKEEPER, tree: { ...TREE, refused: [REFUSED] } } });

test('the text has each check with number, id, evidence, and with remedy and source where it is needed', () => {
  const text = reportText(report);
  expect(text).toContain('[PASS] 1.1 zk.servers: Each ZooKeeper server');
  expect(text).toContain(`[FAIL] 1.5 zk.access: `);
  expect(text).toMatch(/Remedy: Give the user[^\n]*\n {7}Source: https:\/\/druid/);
  expect(text).toMatch(
    /== Summary ==\n\d+ checks PASS\n0 checks WARN\n1 checks FAIL\n3 checks INFO\n1 checks SKIP\n$/,
  );
  for (const { checks, title, about } of GROUPS) {
    const isTold = about === undefined || about === 'zookeeper';
    expect([title, text.includes(` ${title}\n`)]).toEqual([title, isTold]);
    for (const { id } of checks) expect([id, text.includes(` ${id}: `)]).toEqual([id, isTold]);
  }
});

test('the JSON has the keys that scripts read, and no others', () => {
  const { checks, totals, ...rest } = JSON.parse(reportJson(report));
  expect(rest).toEqual({});
  expect(Object.keys(totals)).toEqual(['pass', 'warn', 'fail', 'info', 'skip']);
  for (const check of checks) {
    expect(Object.keys(check)).toEqual(['id', 'title', 'result', 'evidence', 'remedy', 'source']);
  }
});

describe("JUnit's XML", () => {
  const xml = reportJunit(report);

  test('counts failures and what was skipped', () => {
    expect(xml).toContain(
      `tests="${report.checks.length}" failures="1" skipped="${report.totals.skip}" errors="0"`,
    );
    expect(xml.match(/<testcase /g)).toHaveLength(report.checks.length);
    expect(xml.match(/<failure /g)).toHaveLength(1);
    expect(xml.match(/<skipped /g)).toHaveLength(report.totals.skip);
  });

  test('escapes what means something to XML', () => {
    expect(xml).toContain('BROKER/&lt;b&gt;&amp;&quot;x&quot;');
    expect(xml).not.toContain(REFUSED);
  });
});
