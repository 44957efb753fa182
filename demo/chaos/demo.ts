import { writeFile } from 'node:fs/promises';
import type { Report } from '../../tools/druid-cluster/artifacts.ts';
import type { Loaded } from '../../tools/druid-cluster/dataset.ts';
import type { HaCluster } from '../ha/ha-cluster.ts';
import type { DemoOptions } from '../options.ts';
import type { Ending } from '../signals.ts';
import { type Outcome, runChaos } from './chaos.ts';
import { isClean } from './ledger.ts';
import { Scene } from './scene.ts';
import { STEPS } from './steps.ts';
import { LEGEND, renderDetails, renderTable } from './table.ts';

export interface DemoChaos {
  readonly options: DemoOptions;
  readonly cluster: HaCluster;
  readonly loaded: Loaded;
  readonly ending: Ending;
  readonly say: Report;
}

const HOLD_MS = 3_000;

/** Breaks things as the options say and prints the table; yields the exit code. */
export async function chaosOfDemo({ options, cluster, loaded, ending, say }: DemoChaos): Promise<number> {
  const { port, adminPort, chaos, json } = options;
  ending.gently();
  const onStop = (): void =>
    say('\nmending what is broken, and checking everything; Ctrl-C again ends at once');
  ending.stop.addEventListener('abort', onStop);
  say(`the dashboard is at http://localhost:${adminPort}/`);
  say(
    chaos === 'once'
      ? `breaking ${STEPS.length} things under load, one after the other`
      : `breaking one thing after the other under load for ${chaos} s`,
  );
  const outcome = await runChaos({
    scene: new Scene(cluster, `http://localhost:${adminPort}`, ending.abandon),
    url: `http://localhost:${port}`,
    truth: loaded,
    steps: STEPS,
    ...(typeof chaos === 'number' ? { seconds: chaos } : {}),
    holdMs: HOLD_MS,
    stop: ending.stop,
    abandon: ending.abandon,
    report: say,
  });
  ending.stop.removeEventListener('abort', onStop);
  say(`\n${renderTable(outcome.rows)}\n${LEGEND}`);
  const details = renderDetails(outcome.rows);
  if (details !== '') say(details);
  say(verdictOf(outcome));
  if (json !== null) await writeFile(json, `${JSON.stringify(asJson(outcome), null, 2)}\n`);
  if (ending.abandon.aborted) return 130;
  return isClean(outcome.rows) && outcome.trouble === null ? 0 : 1;
}

function verdictOf({ rows, checked, trouble }: Outcome): string {
  if (trouble !== null) return `The run ended early: ${trouble}`;
  if (!isClean(rows)) return 'Something acknowledged is lost or doubled, or an answer was wrong: see above.';
  if (!checked) return 'Nobody looked whether anything is lost or doubled.';
  return 'Nothing that was acknowledged is lost, nothing is doubled, and no answer was wrong.';
}

function asJson({ rows, checked, trouble }: Outcome): object {
  return {
    checked,
    trouble,
    rows: rows.map((row) => ({ ...row, details: Object.fromEntries(row.details) })),
  };
}
