import { formatDuration } from '../config/units.ts';
import { MASTER_ROLES, type MasterRole } from '../discovery/discovery.ts';
import { type Check, fail, info, type Judgement, pass, skip, warn } from './check.ts';
import type { Facts, LeadershipFacts, MasterAnswer } from './facts.ts';
import { listed } from './printable.ts';
import { worst } from './worst.ts';

const PROTOCOL = 'Druid: CuratorDruidLeaderSelector, RedirectFilter';
const TITLES: Readonly<Record<MasterRole, string>> = { coordinator: 'Coordinator', overlord: 'Overlord' };
/** More elections than this while doctor watched are no fail-over any more. */
const MOST_CHANGES = 2;

/** Judges each role, and returns the worst of both with what was seen of each. */
function ofRoles(
  judge: (role: MasterRole, leadership: LeadershipFacts, facts: Facts) => Judgement,
): Check['run'] {
  return (facts) =>
    worst(
      MASTER_ROLES.map((role) => {
        const { result, evidence } = judge(role, facts.leadership[role], facts);
        return { result, evidence: `${TITLES[role]}: ${evidence}` };
      }),
    );
}

export const LEADERSHIP_CHECKS: readonly Check[] = [
  {
    id: 'lead.latch',
    title: 'Each latch names a node that is announced and answers',
    remedy:
      'Restart the node that the latch names, or end it so that its session ends and the next one leads. A node that announces a wrong address needs druid.host.',
    source: PROTOCOL,
    run: ofRoles((_role, { latch, answers }, { nodes }) => {
      if (latch === null) return skip('there is no latch to read');
      const [first] = latch;
      if (first === undefined) return fail('the latch is empty: nobody is elected');
      if (first.origin === null) return fail('the first of the latch names no node');
      const answer = answers.find(({ origin }) => origin === first.origin);
      if (answer === undefined || isSilent(answer))
        return fail(`the latch points to ${first.origin}, which does not answer`);
      if (!nodes.some(({ origin }) => origin === first.origin)) {
        return warn(`the latch points to ${first.origin}, which is not announced`);
      }
      return pass(`${first.origin}, first of ${latch.length}`);
    }),
  },
  {
    id: 'lead.agree',
    title: 'The latch, `isLeader` and every `leader` name one node',
    remedy:
      'Wait for the end of an election and run doctor again; restart the node that disagrees with the latch.',
    source: PROTOCOL,
    run: ofRoles((_role, { latch, answers }) => {
      if (answers.length === 0) return skip('no master is known');
      const leaders = answers.filter(({ claim }) => claim === 'leads').map(({ origin }) => origin);
      const leader = latch?.[0]?.origin ?? leaders[0] ?? null;
      if (leader === null || !leaders.includes(leader)) {
        return fail(
          `${leader ?? 'nobody'} should lead, and ${leaders.length === 0 ? 'nobody' : listed(leaders)} says so`,
        );
      }
      const others = answers.filter((one) => one.leader.kind === 'named' && one.leader.origin !== leader);
      const none = answers.filter((one) => one.leader.kind === 'none');
      if (others.length + none.length > 0)
        return fail(`${leader} leads, but ${listed([...others, ...none].map(naming))}`);
      const told = answers.filter((one) => one.leader.kind === 'named').length;
      if (told === 0) return info(`${leader} leads; nobody tells its \`leader\` without credentials`);
      return pass(`${leader}, by ${told} of ${answers.length} masters`);
    }),
  },
  {
    id: 'lead.rivals',
    title: 'One node of a role says that it leads',
    remedy: 'Restart the node that says so and is not first in the latch. Both take writes until then.',
    source: 'docs/operations.md, "Who leads, and how it is known"',
    run: ofRoles((_role, { latch, answers }) => {
      if (answers.length === 0) return skip('no master is known');
      const leaders = answers.filter(({ claim }) => claim === 'leads').map(({ origin }) => origin);
      if (leaders.length <= 1)
        return pass(leaders[0] === undefined ? 'nobody says so' : `${leaders[0]} alone`);
      const right = latch?.[0]?.origin;
      return fail(`${listed(leaders)} all say so${right == null ? '' : `; the latch names ${right}`}`);
    }),
  },
  {
    id: 'lead.stable',
    title: 'The leader does not change while doctor watches',
    remedy:
      "Look for long pauses of the masters' Java processes, a session timeout that is too short for them, and links to ZooKeeper that fail.",
    source: PROTOCOL,
    run: ofRoles((role, _leadership, { watched }) => {
      if (watched === null) return skip('needs --watch, for example --watch 60s');
      const changes = watched.changes[role];
      const said = `${changes} changes in ${formatDuration(watched.durationMs)}`;
      if (changes === 0) return pass(said);
      return changes > MOST_CHANGES ? fail(said) : warn(said);
    }),
  },
];

function isSilent({ claim }: MasterAnswer): boolean {
  return claim === 'refused' || claim === 'silent';
}

function naming({ origin, leader }: MasterAnswer): string {
  return `${origin} names ${leader.kind === 'named' ? leader.origin : 'nobody'}`;
}
