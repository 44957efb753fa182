import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ensureAvaticaJars } from '../../../tools/druid-cluster/artifacts.ts';

export interface JdbcOutcome {
  /** Rounds of queries that went well. */
  readonly rounds: number;
  /** Connections that did not work any more at the end. */
  readonly broken: number;
  /** Connections that had an error, and those that had more than one. */
  readonly hit: number;
  readonly again: number;
  /** How often each error came. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Connections of the real Avatica driver, each asking again and again. */
export interface JdbcClients {
  /** Lets each ask once more, and ends. */
  stop(): Promise<JdbcOutcome>;
}

const SOURCE = fileURLToPath(new URL('jdbc/JdbcClient.java', import.meta.url));

/** Resolves when each connection has asked for the first time, or could not be made. */
export async function startJdbc(
  gateway: string,
  format: 'json' | 'protobuf',
  connections: number,
  credentials?: { readonly user: string; readonly password: string },
): Promise<JdbcClients> {
  const path = format === 'json' ? 'avatica/' : 'avatica-protobuf/;serialization=protobuf';
  const url = `jdbc:avatica:remote:url=${gateway}/druid/v2/sql/${path}`;
  const args = ['-XX:TieredStopAtLevel=1', '-Xmx256m', '-cp', await ensureAvaticaJars(), SOURCE, url];
  const login = credentials === undefined ? [] : [credentials.user, credentials.password];
  const child = spawn('java', [...args, String(connections), ...login], { stdio: ['pipe', 'pipe', 'pipe'] });
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  const opened = new Promise<void>((resolve, reject) => {
    reader.on('line', (line) => {
      lines.push(line);
      if (line === 'open') resolve();
    });
    child.once('exit', () => reject(new Error(`the client ended: ${complaints}`)));
  });
  await opened;
  return {
    async stop() {
      const closed = once(child, 'close');
      child.stdin.end();
      await closed;
      process.off('exit', end);
      const errors: Record<string, number> = {};
      for (const line of lines) {
        const [, count, message = ''] = /^error (\d+) (.*)$/.exec(line) ?? [];
        if (count !== undefined) errors[message] = Number(count);
      }
      const done = /^done (\d+) (\d+) (\d+) (\d+)$/.exec(lines.at(-1) ?? '');
      if (done === null) throw new Error(`the client did not end well: ${complaints}`);
      const [rounds = 0, broken = 0, hit = 0, again = 0] = done.slice(1).map(Number);
      return { rounds, broken, hit, again, errors };
    },
  };
}
