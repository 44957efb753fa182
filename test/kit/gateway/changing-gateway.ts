import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { ReloadResult } from '../../../src/admin/reload.ts';
import { loadWithOrigins } from '../../../src/config/load.ts';
import { createGateway } from '../../../src/gateway/gateway.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../upstream/fake-upstream.ts';

/** A node that says who it is to whatever else it is asked. */
export interface NamedNode {
  readonly upstream: FakeUpstream;
  leads: boolean;
}

export async function startNamedNode(name: string): Promise<NamedNode> {
  const self: NamedNode = {
    leads: false,
    upstream: await startUpstream(({ target }, socket) => {
      if (target.endsWith('/isLeader')) {
        socket.write(json({ leader: self.leads }, self.leads ? '200 OK' : '404 Not Found'));
      } else if (target.endsWith('/leader')) {
        socket.write(plain('200 OK', [], self.leads ? self.upstream.origin : ''));
      } else if (target.startsWith('/druid/broker/v1/readiness') || target === '/status/ready') {
        socket.write(plain('200 OK', [], ''));
      } else socket.write(json({ name }));
    }),
  };
  return self;
}

/** A gateway in this process, with the file of its configuration. */
export interface ChangingGateway {
  readonly url: string;
  readonly admin: string;
  readonly folder: string;
  readonly lines: readonly Record<string, unknown>[];
  /** Writes the file, as JSON, and has it taken up. */
  reload(config: object): Promise<ReloadResult>;
  status(): Promise<ChangingStatus>;
  metric(name: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

export interface ChangingStatus {
  readonly discovery: { readonly kind: string; readonly state: string; readonly detail: string | null };
  readonly leaders: {
    readonly coordinator: {
      readonly state: string;
      readonly node: string | null;
      readonly term: number | null;
    };
  };
  readonly config: { readonly discovery: { readonly type: string } };
}

/** Starts it with these settings; `folder` in texts stands for a folder of its own. */
export async function startChangingGateway(config: object): Promise<ChangingGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-changing-'));
  const file = join(folder, 'gateway.yaml');
  const write = (of: object): Promise<void> =>
    writeFile(
      file,
      JSON.stringify({
        listen: '127.0.0.1:0',
        admin: { listen: '127.0.0.1:0' },
        shutdown: { delay: 0, drain: '400ms' },
        reload: { interval: '1h' },
        ...of,
      }).replaceAll('FOLDER', folder),
    );
  const load = () => loadWithOrigins({ file, environment: {} });
  await write(config);
  const lines: Record<string, unknown>[] = [];
  const logger = pino(
    { base: null, timestamp: false },
    { write: (line) => void lines.push(JSON.parse(line)) },
  );
  const begun = load();
  const gateway = createGateway(begun.config, {
    logger,
    version: '0',
    settings: begun.settings,
    origin: { load, files: [file] },
  });
  const { listen, admin } = await gateway.start();
  return {
    url: listen,
    admin,
    folder,
    lines,
    async reload(of) {
      await write(of);
      return gateway.reload('request');
    },
    status: async () => (await (await fetch(`${admin}/status`)).json()) as ChangingStatus,
    async metric(name) {
      const text = await (await fetch(`${admin}/metrics`)).text();
      return text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1);
    },
    async stop() {
      await gateway.stop();
      await rm(folder, { recursive: true });
    },
  };
}
