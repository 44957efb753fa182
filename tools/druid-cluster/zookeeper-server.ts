import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type ManagedProcess, startProcess } from './managed-process.ts';
import { waitFor } from './wait.ts';

export interface ZooKeeperServerOptions {
  /** For data, configuration and log; made if need be. */
  readonly folder: string;
  /** Java class path with a ZooKeeper server. */
  readonly classPath: string;
  readonly port: number;
  readonly signal?: AbortSignal;
}

/** ZooKeeper caps a session at 20 ticks: a leader that dies without a word is replaced within so many. */
const TICK_MS = 500;

/** Starts a single ZooKeeper server on loopback and waits until it answers. */
export async function startZooKeeperServer(options: ZooKeeperServerOptions): Promise<ManagedProcess> {
  const { folder, classPath, port, signal } = options;
  await mkdir(join(folder, 'data'), { recursive: true });
  const config = join(folder, 'zoo.cfg');
  const lines = [
    `tickTime=${TICK_MS}`,
    `dataDir=${join(folder, 'data')}`,
    `clientPort=${port}`,
    'clientPortAddress=127.0.0.1',
    'admin.enableServer=false',
    '4lw.commands.whitelist=*',
    'maxClientCnxns=0',
    '',
  ];
  await writeFile(config, lines.join('\n'));
  const process = await startProcess({
    name: 'zookeeper',
    command: 'java',
    args: [
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Xmx128m',
      '-cp',
      classPath,
      'org.apache.zookeeper.server.ZooKeeperServerMain',
      config,
    ],
    cwd: folder,
    logFile: join(folder, 'zookeeper.log'),
  });
  try {
    await waitFor('ZooKeeper', async () => (await fourLetterWord(port, 'srvr')).includes('Mode:'), {
      timeoutMs: 60_000,
      intervalMs: 100,
      process,
      ...(signal === undefined ? {} : { signal }),
    });
    return process;
  } catch (error) {
    process.kill('SIGKILL');
    throw error;
  }
}

/** The answer to one of ZooKeeper's four-letter words, empty when there is none. */
export function fourLetterWord(port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(word));
    socket.setTimeout(2_000, () => socket.destroy());
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}
