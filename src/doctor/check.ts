import type { Facts } from './facts.ts';

/** `INFO`: nothing is wrong, or it cannot be known from here. `SKIP`: there was nothing to judge. */
export type Result = 'PASS' | 'WARN' | 'FAIL' | 'INFO' | 'SKIP';
export const RESULTS: readonly Result[] = ['PASS', 'WARN', 'FAIL', 'INFO', 'SKIP'];

/** The facts that there are only where nodes may be known from there. */
export type SourceFacts = 'zookeeper' | 'kubernetes' | 'consul' | 'dns';

/** What a check says about the facts. */
export interface Judgement {
  readonly result: Result;
  /** What was seen, in one line. It may hold text of strangers: `examine` bounds and escapes it. */
  readonly evidence: string;
}

/** One check. It is a pure function of the facts, so it asks nothing and can be called again. */
export interface Check {
  /** `group.name`; stable, because scripts name it. */
  readonly id: string;
  /** What should be so, as a sentence. */
  readonly title: string;
  /** What to do where it is not so. */
  readonly remedy: string;
  /** Where the rule comes from. */
  readonly source: string;
  /** What it is about, where that is a source of discovery: without it there is nothing to check, and to tell. */
  readonly about?: SourceFacts;
  readonly run: (facts: Facts) => Judgement;
}

export const pass = (evidence: string): Judgement => ({ result: 'PASS', evidence });
export const warn = (evidence: string): Judgement => ({ result: 'WARN', evidence });
export const fail = (evidence: string): Judgement => ({ result: 'FAIL', evidence });
export const info = (evidence: string): Judgement => ({ result: 'INFO', evidence });
export const skip = (evidence: string): Judgement => ({ result: 'SKIP', evidence });
