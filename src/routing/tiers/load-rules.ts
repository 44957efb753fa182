import {
  type Interval,
  overlaps,
  type Period,
  parseInterval,
  parsePeriod,
  shifted,
} from '../../time/intervals.ts';

/** One of the Coordinator's rules that load data (`LoadRule`); those that drop or broadcast say nothing of tiers. */
export interface LoadRule {
  /** The tiers of Historicals that have the data. */
  readonly tiers: ReadonlySet<string>;
  readonly appliesTo: (interval: Interval, now: number) => boolean;
}

/** The load rules by datasource, in their order; the default rules are there under a name of their own. */
export type RuleBook = ReadonlyMap<string, readonly LoadRule[]>;

/** `DruidServer.DEFAULT_TIER`. */
const DEFAULT_TIER = '_default_tier';

/** Rules that are read in one go. */
const RULES_A_STEP = 500;

/** The answer of `/druid/coordinator/v1/rules`, or null where it is no such answer. */
export function parseRules(answer: unknown): RuleBook | null {
  const steps = parseRulesInSteps(answer);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** The same, so that a large answer need not be read in one turn of the event loop. */
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
  // What a partial rule (`PartialLoadRule`, Druid 38) loads of a segment makes no difference to where it is.
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

/** `Rules.eligibleForLoad`: the period until now, and all that comes after it if that is included. */
function byPeriod(period: Period, includeFuture: boolean): LoadRule['appliesTo'] {
  return (asked, now) => {
    const start = shifted(now, period, -1);
    return includeFuture ? start < asked.end : overlaps({ start, end: now }, asked);
  };
}

/**
 * The tiers that have all of what is asked for: those of the first rule, the datasource's own before the default
 * ones, that applies to every interval. Null where no rule does.
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
