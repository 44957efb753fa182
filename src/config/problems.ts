/** Thrown for a configuration that cannot be used. Each problem is one sentence for people, without secrets. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Formats `where: path: problem`, leaving out empty parts. */
export function problem(where: string, path: string, what: string): string {
  return [where, path, what].filter((part) => part !== '').join(': ');
}
