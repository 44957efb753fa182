/** What was asked of the gateway during a soak, and what came of it. */
export interface Entry {
  readonly kind: 'read' | 'write' | 'query' | 'stream' | 'cancel';
  /** Of a write: the name under which the ledger has it. */
  readonly name?: string;
  /** 0 for no answer: the connection broke, which its client sees. */
  readonly status: number;
  /** Reason code of an error of the gateway's own. */
  readonly reason?: string;
  /** Of a stream: rows that came in an answer that ended cleanly, and those that were asked for. */
  readonly rows?: number;
  readonly wanted?: number;
  /** Druid said in a trailer, or the client by a cancel, that the answer is not whole. */
  readonly saidIncomplete?: boolean;
  readonly ms: number;
}

export interface Findings {
  /** Each is a reason to fail, in a sentence. */
  readonly violations: readonly string[];
  /** Requests by kind and outcome. */
  readonly summary: Readonly<Record<string, number>>;
}

/** Errors that are the truth while things fail. */
const HONEST = new Set([429, 502, 503, 504]);

/** Checks a history against the ledger of what was carried out. */
export function check(history: readonly Entry[], ledger: ReadonlyMap<string, readonly string[]>): Findings {
  const violations: string[] = [];
  const summary: Record<string, number> = {};
  for (const entry of history) {
    const outcome = entry.status === 0 ? 'broken off' : `${entry.status} ${entry.reason ?? ''}`.trim();
    const key = `${entry.kind}: ${outcome}`;
    summary[key] = (summary[key] ?? 0) + 1;
    if (entry.kind === 'write') {
      const times = ledger.get(entry.name ?? '')?.length ?? 0;
      if (times > 1) violations.push(`${entry.name} was carried out ${times} times`);
      if (entry.status === 200 && times === 0) violations.push(`${entry.name} was confirmed and is lost`);
    }
    if (
      entry.kind === 'stream' &&
      entry.status === 200 &&
      entry.rows !== entry.wanted &&
      !entry.saidIncomplete
    ) {
      violations.push(`an answer of ${entry.rows} of ${entry.wanted} rows ended cleanly`);
    }
    const allowed = entry.kind === 'cancel' ? [0, 200, 202, 404] : [0, 200];
    if (!allowed.includes(entry.status) && !HONEST.has(entry.status)) {
      violations.push(`a ${entry.kind} was answered with ${entry.status}`);
    }
    if (HONEST.has(entry.status) && entry.reason === undefined) {
      violations.push(`a ${entry.kind} was answered with ${entry.status} and no reason`);
    }
  }
  return { violations, summary };
}

/** What the gateway's process holds. */
export interface Sample {
  readonly rssBytes: number;
  readonly handles: number;
  readonly watches: number;
}

/** Growth between the first quarter of a soak and its end, both in quiet moments, that is not to be explained away. */
export function growth(early: Sample, late: Sample): string[] {
  const found: string[] = [];
  if (late.rssBytes > early.rssBytes * 1.25 + 32 * 1024 * 1024) {
    found.push(`memory grew from ${mebibytes(early.rssBytes)} to ${mebibytes(late.rssBytes)} MiB`);
  }
  if (late.handles > early.handles + 20) found.push(`handles grew from ${early.handles} to ${late.handles}`);
  if (late.watches !== early.watches) found.push(`watches went from ${early.watches} to ${late.watches}`);
  return found;
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
