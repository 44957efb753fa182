import type { Judgement, Result } from './check.ts';

/** From harmless to grave. */
const ORDER: readonly Result[] = ['SKIP', 'PASS', 'INFO', 'WARN', 'FAIL'];

/** Returns one judgement for several: the gravest result, with the evidence of all. */
export function worst(judgements: readonly Judgement[]): Judgement {
  const rank = Math.max(0, ...judgements.map(({ result }) => ORDER.indexOf(result)));
  return {
    result: ORDER[rank] ?? 'SKIP',
    evidence: [...new Set(judgements.map(({ evidence }) => evidence))].join('. '),
  };
}
