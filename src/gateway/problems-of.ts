import { ConfigError } from '../config/problems.ts';

/**
 * Returns what is wrong with a configuration, in sentences. An error that nobody wrote for people goes to `report`.
 */
export function problemsOf(error: unknown, report: (error: unknown) => void): readonly string[] {
  if (error instanceof ConfigError) return error.problems;
  // Unusable files are plain errors of one sentence.
  if (error instanceof Error && error.constructor === Error && !('code' in error)) return [error.message];
  report(error);
  return ['internal error; the log has its stack'];
}
