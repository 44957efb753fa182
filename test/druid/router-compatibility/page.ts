import { CALLS } from './calls.ts';
import type { Difference } from './differences.ts';

const HEAD = `# Router compatibility

This page is made of \`test/druid/router-compatibility/differences.ts\`; do not edit it. \`npm run test:druid\` sends the calls
of \`test/druid/router-compatibility/calls.ts\` to a real Druid Router (33.0.0, with its management proxy) and to the gateway in
front of the same cluster, and compares status, every header, framing, trailers and body, less what is never the same
twice (ids, addresses, times). All that differs is below, and each of it on purpose; the test fails on anything else,
and on what is here and not so any more. A name of calls that ends in \`*\` is of all that begin so. How to put the
gateway where a Router is: [Replacing the Router](replacing-the-router.md).
`;

/** `docs/router-compatibility.md`. */
export function page(differences: readonly Difference[]): string {
  const roles = Map.groupBy(CALLS, ({ name }) => name.slice(0, name.indexOf(':')));
  const counts = [...roles].map(([role, calls]) => `${role} ${calls.length}`).join(', ');
  return [HEAD, `${CALLS.length} calls: ${counts}.\n`, ...differences.map(section)].join('\n');
}

function section({ id, router, gateway, why, covers }: Difference): string {
  const calls = covers.flatMap((covered) => covered.calls);
  const named = [...new Set(calls)].map((call) => (call === '*' ? 'most calls' : `\`${call}\``)).join(', ');
  return `## ${id}\n\n* Router: ${router}\n* Gateway: ${gateway}\n* Why: ${why}\n* Seen in: ${named}\n`;
}
