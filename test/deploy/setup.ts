import type { TestProject } from 'vitest/node';
import { openToolbox, type Toolbox } from '../../tools/deploy-tools/toolbox.ts';

declare module 'vitest' {
  interface ProvidedContext {
    toolbox: Toolbox;
  }
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Fetches what the tests run before the first of them. What a machine cannot bring is told, and its tests are skipped;
 * in CI it is an error where the program that brings it is there.
 */
export async function setup(project: TestProject): Promise<void> {
  const toolbox = await openToolbox(say);
  for (const [name, found] of Object.entries(toolbox)) {
    if (!('missing' in found)) continue;
    if (process.env.CI && !found.absent) throw new Error(`${name}: ${found.missing}`);
    say(`tests of deploy/ that need ${name} are skipped: ${found.missing}`);
  }
  project.provide('toolbox', toolbox);
}
