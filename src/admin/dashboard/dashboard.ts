import { readFileSync } from 'node:fs';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ShownSetting } from '../../config/shown-settings.ts';
import type { Guard } from '../guard.ts';
import type { History } from '../history/history.ts';
import type { State } from '../status.ts';
import { renderPage } from './page.ts';

export interface DashboardOptions {
  /** Updates the counts of nodes from the workers. */
  readonly refresh: () => Promise<boolean>;
  readonly state: () => State;
  /** Absent if no record of leadership is kept. */
  readonly history?: Pick<History, 'body'>;
  /** The configuration with the origin of each value. */
  readonly settings: () => readonly ShownSetting[];
  /** Whether actions need a token. */
  readonly needsToken: boolean;
}

/** The files that the page loads, by name, and their types. */
const ASSETS: Readonly<Record<string, string>> = {
  'style.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'app.js': 'text/javascript; charset=utf-8',
  'actions.js': 'text/javascript; charset=utf-8',
  'brokers.js': 'text/javascript; charset=utf-8',
  'charts.js': 'text/javascript; charset=utf-8',
  'rows.js': 'text/javascript; charset=utf-8',
  'table.js': 'text/javascript; charset=utf-8',
  'timeline.js': 'text/javascript; charset=utf-8',
};

/** Nothing from elsewhere, no script or style within the page, no frame around it, and no text that becomes HTML. */
const POLICY = [
  "default-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Registers `GET /`, the page for operators, and the files below `/dashboard/` that it loads. */
export function registerDashboard(
  app: FastifyInstance,
  guard: Pick<Guard, 'page' | 'read'>,
  { refresh, state, history, settings, needsToken }: DashboardOptions,
): void {
  app.get('/', { onRequest: guard.page }, async (_request, reply) => {
    await refresh();
    const terms = history?.body.terms ?? null;
    const content = { state: state(), terms, settings: settings(), needsToken };
    return protect(reply).type('text/html; charset=utf-8').send(renderPage(content));
  });
  for (const [name, type] of Object.entries(ASSETS)) {
    const content = readFileSync(new URL(`./assets/${name}`, import.meta.url));
    app.get(`/dashboard/${name}`, { onRequest: guard.read }, async (_request, reply) =>
      protect(reply).type(type).send(content),
    );
  }
}

function protect(reply: FastifyReply): FastifyReply {
  return reply.headers({
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
}
