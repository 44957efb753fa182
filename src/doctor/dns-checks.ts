import { type Check, fail, type Judgement, pass, skip, warn } from './check.ts';
import type { DnsFacts } from './facts.ts';
import { listed } from './printable.ts';

const DEPLOYMENT = 'docs/deployment.md';

/** Judges what DNS says; it is not asked where it is not used. */
function ofDns(judge: (dns: DnsFacts) => Judgement): Check['run'] {
  return ({ dns }) => (dns === null ? skip('DNS is not used') : judge(dns));
}

export const DNS_CHECKS: readonly Check[] = [
  {
    id: 'dns.names',
    title: 'The names of the configuration have SRV records, and DNS can be asked for them',
    remedy:
      'Compare the section dns with what `dig SRV NAME` says here. A headless Service has a name _PORT._tcp.SERVICE.NAMESPACE.svc for each named port, and records for ready pods only.',
    source: DEPLOYMENT,
    run: ofDns(({ problem, nodes }) => {
      if (problem !== null) return fail(problem);
      return nodes === 0 ? fail('no name has a record') : pass(`${nodes} nodes`);
    }),
  },
  {
    id: 'dns.entries',
    title: 'Records name nodes that may be used',
    remedy: 'Correct the records; nodes that discovery.allow refuses have to be named there.',
    source: DEPLOYMENT,
    run: ofDns(({ faults }) => (faults.length === 0 ? pass('all of them') : warn(listed(faults)))),
  },
];
