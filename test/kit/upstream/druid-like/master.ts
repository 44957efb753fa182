import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MasterRole } from '../../../../src/discovery/discovery.ts';
import type { Faults } from './faults.ts';
import type { Membership } from './membership.ts';

export const LATCHES: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/_COORDINATOR',
  overlord: '/druid/overlord/_OVERLORD',
};
const PREFIXES: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1',
  overlord: '/druid/indexer/v1',
};
const READS: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1/datasources',
  overlord: '/druid/indexer/v1/tasks',
};
const WRITES: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1/config',
  overlord: '/druid/indexer/v1/task',
};
/** Between a latch and serving there are a 307 to itself, a 503 in HTML, and an `isLeader` 404. */
const REDIRECTING_MS = 30;
const INITIALISING_MS = 150;

export interface Master {
  /** Answers, or leaves the request without an answer. False for paths of another role. */
  handle(request: IncomingMessage, response: ServerResponse, body: string): boolean;
}

/** A Coordinator or Overlord as clients see it, with the sequence that a real swap shows. */
export function createMaster(
  role: MasterRole,
  origin: string,
  membership: Membership,
  faults: () => Faults,
  write: (name: string) => void,
): Master {
  let leadsSince: number | null = null;

  /** How long it has led by its latch, in milliseconds; negative while it does not. */
  function led(): number {
    if (membership.leaderOf(LATCHES[role]) !== origin) {
      leadsSince = null;
      return -1;
    }
    leadsSince ??= performance.now();
    return performance.now() - leadsSince;
  }
  setInterval(led, 5);

  function serves(): boolean {
    const { doesNotServe, claimsToLead } = faults();
    return claimsToLead || (!doesNotServe && led() >= INITIALISING_MS);
  }

  function redirect(response: ServerResponse, leader: string, request: IncomingMessage): void {
    response.writeHead(307, {
      location: leader + request.url,
      ...(request.method === 'GET' ? { 'cache-control': 'no-cache, no-store, max-age=0' } : {}),
      'content-length': 0,
    });
    response.end();
  }

  const master: Master = {
    handle(request, response, body) {
      const target = request.url ?? '';
      const path = target.split('?')[0] ?? '';
      if (!path.startsWith(PREFIXES[role])) return false;
      const { claimsToLead, redirectsToItself } = faults();
      if (path === `${PREFIXES[role]}/isLeader`) {
        json(response, serves() ? 200 : 404, { leader: serves() });
        return true;
      }
      const leader = membership.leaderOf(LATCHES[role]);
      if (leader === null && !claimsToLead) {
        // Out of touch with ZooKeeper everything that needs to know who leads hangs until it is back.
        setTimeout(() => response.destroyed || master.handle(request, response, body), 25);
        return true;
      }
      if (path === `${PREFIXES[role]}/leader`) {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(claimsToLead ? origin : leader);
        return true;
      }
      const initialising = leader === origin && led() < REDIRECTING_MS;
      if (!claimsToLead && (leader !== origin || redirectsToItself || initialising)) {
        redirect(response, leader ?? origin, request);
        return true;
      }
      if (!serves()) {
        response.writeHead(503, { 'content-type': 'text/html;charset=iso-8859-1' });
        response.end('<html><body><h2>HTTP ERROR 503</h2></body></html>');
        return true;
      }
      if (request.method === 'GET' && path === READS[role]) json(response, 200, []);
      else if (request.method === 'POST' && path === WRITES[role]) {
        write(String(request.headers['x-druid-comment'] ?? nameOf(body)));
        json(response, 200, { task: nameOf(body) });
      } else json(response, 404, { error: 'Not found' });
      return true;
    },
  };
  return master;
}

function nameOf(body: string): string {
  const { groupId } = JSON.parse(body === '' ? '{}' : body) as { groupId?: string };
  return groupId ?? '';
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
  response.end(text);
}
