import { type Check, fail, type Judgement, pass, skip, warn } from './check.ts';
import type { ConsulFacts } from './facts.ts';
import { listed } from './printable.ts';

const DEPLOYMENT = 'docs/deployment.md';
const PROTOCOL = 'Druid: consul-extensions, DefaultConsulApiClient';

/** Judges what Consul says; it is not asked where it is not used. */
function ofConsul(judge: (consul: ConsulFacts) => Judgement): Check['run'] {
  return ({ consul }) => (consul === null ? skip('Consul is not used') : judge(consul));
}

/** The same of what was read whole. */
function ofServices(judge: (consul: ConsulFacts) => Judgement): Check['run'] {
  return ofConsul((consul) => (consul.problem === null ? judge(consul) : skip('Consul could not be read')));
}

export const CONSUL_CHECKS: readonly Check[] = [
  {
    id: 'consul.api',
    title: 'Consul tells the services and both elections',
    remedy:
      'Start the agent, name it in consul.server, and give the token of consul.tokenFile service_prefix and node_prefix read, and key read of the elections and of PREFIX/nodes/.',
    source: DEPLOYMENT,
    run: ofConsul(({ problem, server }) => (problem === null ? pass(server) : fail(problem))),
  },
  {
    id: 'consul.services',
    title: 'Services of this cluster pass their checks',
    remedy:
      'Compare consul.servicePrefix and consul.datacenter with the services (consul catalog services). A token without service read sees none, and Consul does not say so.',
    source: PROTOCOL,
    run: ofServices(({ nodes, servicePrefix }) =>
      nodes === 0
        ? fail(`no service of ${servicePrefix} passes`)
        : pass(`${nodes} announcements of ${servicePrefix}`),
    ),
  },
  {
    id: 'consul.entries',
    title: 'Announcements and keys of leaders can be read, and name nodes that may be used',
    remedy: 'See what writes them; nodes that discovery.allow refuses have to be named there.',
    source: PROTOCOL,
    run: ofServices(({ faults }) => (faults.length === 0 ? pass('all of them') : warn(listed(faults)))),
  },
];
