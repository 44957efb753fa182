/** A configuration that cannot be used; each problem is one sentence for people, without secrets. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** `where: path: problem`, less what is not known. */
export function problem(where: string, path: string, what: string): string {
  return [where, path, what].filter((part) => part !== '').join(': ');
}
