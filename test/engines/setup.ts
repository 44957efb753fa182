import type { TestProject } from 'vitest/node';
import type { Found } from '../../tools/cached.ts';
import { buildGoTools } from '../../tools/deploy-tools/toolbox.ts';
import { type Engines, openEngines } from '../../tools/engines/engines.ts';

declare module 'vitest' {
  interface ProvidedContext {
    engines: Engines;
    /** A folder with `helm`, for the rights of the chart. */
    helm: Found;
  }
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Builds the servers before the first test. What a machine cannot bring is told, and its tests are skipped. */
export async function setup(project: TestProject): Promise<void> {
  const engines = await openEngines(say);
  const helm = await buildGoTools(say);
  for (const [name, found] of Object.entries({ ...engines, helm })) {
    if (!('missing' in found)) continue;
    if (!found.absent) throw new Error(`${name}: ${found.missing}`);
    say(`tests that need ${name} are skipped: ${found.missing}`);
  }
  project.provide('engines', engines);
  project.provide('helm', helm);
}
