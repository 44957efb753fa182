import {
  type Interval,
  overlaps,
  type Period,
  parseInterval,
  parsePeriod,
  shifted,
} from '../../time/intervals.ts';

/** A Coordinator rule that loads data (`LoadRule`). Drop and broadcast rules are left out: they name no tiers. */
export interface LoadRule {
  /** The tiers of Historicals that hold the data. */
  readonly tiers: ReadonlySet<string>;
  readonly appliesTo: (interval: Interval, now: number) => boolean;
}

/** Load rules by datasource, in order. The default rules are listed under their own name. */
export type RuleBook = ReadonlyMap<string, readonly LoadRule[]>;

/** `DruidServer.DEFAULT_TIER`. */
const DEFAULT_TIER = '_default_tier';

/** Rules parsed in one step. */
const RULES_A_STEP = 500;

/** Parses the answer of `/druid/coordinator/v1/rules`; null if it is something else. */
export function parseRules(answer: unknown): RuleBook | null {
  const steps = parseRulesInSteps(answer);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Parses like `parseRules`, in steps, so a large answer need not block the event loop. */
export function* parseRulesInSteps(answer: unknown): Generator<undefined, RuleBook | null> {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return null;
  const book = new Map<string, readonly LoadRule[]>();
  let read = 0;
  for (const datasource of Object.keys(answer)) {
    const rules = (answer as Readonly<Record<string, unknown>>)[datasource];
    if (!Array.isArray(rules)) return null;
    const known: LoadRule[] = [];
    for (const rule of rules) {
      const parsed = parseRule(rule);
      if (parsed !== null) known.push(parsed);
      if (++read % RULES_A_STEP === 0) yield;
    }
    book.set(datasource, known);
    if (++read % RULES_A_STEP === 0) yield;
  }
  return book;
}

function parseRule(rule: unknown): LoadRule | null {
  if (typeof rule !== 'object' || rule === null) return null;
  const { type, interval, period, includeFuture, tieredReplicants } = rule as Record<string, unknown>;
  const replicants = tieredReplicants ?? { [DEFAULT_TIER]: 2 };
  if (typeof replicants !== 'object') return null;
  const tiers = new Set(Object.keys(replicants));
  // A partial rule (`PartialLoadRule`, Druid 38) loads part of a segment, which does not change its tiers.
  if (type === 'loadForever' || type === 'loadPartialForever') return { tiers, appliesTo: () => true };
  if ((type === 'loadByInterval' || type === 'loadPartialByInterval') && typeof interval === 'string') {
    const parsed = parseInterval(interval);
    return parsed === null ? null : { tiers, appliesTo: (asked) => overlaps(parsed, asked) };
  }
  if ((type === 'loadByPeriod' || type === 'loadPartialByPeriod') && typeof period === 'string') {
    const parsed = parsePeriod(period);
    return parsed === null ? null : { tiers, appliesTo: byPeriod(parsed, includeFuture !== false) };
  }
  return null;
}

/** `Rules.eligibleForLoad`: the period before now, and also the future if that is included. */
function byPeriod(period: Period, includeFuture: boolean): LoadRule['appliesTo'] {
  return (asked, now) => {
    const start = shifted(now, period, -1);
    return includeFuture ? start < asked.end : overlaps({ start, end: now }, asked);
  };
}

/**
 * Returns the tiers that hold all requested data: those of the first rule that applies to every interval. The
 * datasource's own rules come before the default ones. Null if no rule applies.
 */
export function tiersFor(
  book: RuleBook,
  datasource: string | undefined,
  intervals: readonly Interval[],
  { defaultRule, now }: { readonly defaultRule: string; readonly now: number },
): ReadonlySet<string> | null {
  const own = datasource === undefined ? undefined : book.get(datasource);
  for (const rules of [own, book.get(defaultRule)]) {
    const rule = rules?.find(({ appliesTo }) => intervals.every((interval) => appliesTo(interval, now)));
    if (rule !== undefined) return rule.tiers;
  }
  return null;
}
