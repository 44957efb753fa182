import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { MasterRole, Role } from '../../../../src/discovery/discovery.ts';
import { createBroker } from './broker.ts';
import { type Faults, NO_FAULTS, type Settings } from './faults.ts';
import { createMaster, LATCHES } from './master.ts';
import { join } from './membership.ts';

/** A process that looks like a Druid node from outside. Its one argument is `Settings` in JSON. */
const settings = JSON.parse(process.argv[2] ?? '') as Settings;
const origin = `http://127.0.0.1:${settings.port}`;
const roles: readonly Role[] = settings.role === 'masters' ? ['coordinator', 'overlord'] : [settings.role];
const masters = roles.filter((role): role is MasterRole => role !== 'broker');
let faults: Faults = NO_FAULTS;

const membership = join({
  connect: settings.zookeeper,
  sessionTimeoutMs: settings.sessionTimeoutMs,
  origin,
  announced: roles.map((type) => ({ folder: `/druid/internal-discovery/${type.toUpperCase()}`, type })),
  latches: masters.map((role) => LATCHES[role]),
});
const write = (name: string): void => appendFileSync(settings.ledger, `${origin} ${name}\n`);
const parts = [
  ...masters.map((role) => createMaster(role, origin, membership, () => faults, write)),
  ...(roles.includes('broker') ? [createBroker()] : []),
];

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request);
  const path = request.url ?? '';
  if (path === '/faults') {
    faults = { ...NO_FAULTS, ...(JSON.parse(body) as Partial<Faults>) };
    response.end();
    return;
  }
  const { silent, delayMs, resets } = faults;
  if (silent) return;
  const probe = /\/(?:isLeader|leader|readiness|status\/\w+)$/.test(path);
  if (resets && !probe) {
    request.socket.resetAndDestroy();
    return;
  }
  if (delayMs > 0 && !probe) await new Promise((resolve) => setTimeout(resolve, delayMs));
  if (path === '/status/health') {
    response.setHeader('content-type', 'application/json');
    response.end('true');
    return;
  }
  if (parts.some((part) => part.handle(request, response, body))) return;
  response.writeHead(404, { 'content-type': 'text/html' });
  response.end('<html>404</html>');
}

const server = createServer(
  (request, response) => void serve(request, response).catch(() => response.destroy()),
);
server.keepAliveTimeout = 300_000;
server.listen(settings.port, '127.0.0.1');
void Promise.all([once(server, 'listening'), membership.joined]).then(() => process.stdout.write('serves\n'));

/** As Druid does by default: nothing new, and what runs is finished. */
process.once('SIGTERM', () => {
  membership.leave();
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setInterval(() => server.closeIdleConnections(), 50);
});
