import { type Client, CreateMode, Exception } from 'node-zookeeper-client';
import { openConnection, type ZooKeeperConnection } from '../../../src/discovery/zookeeper/connection.ts';
import { parseConnectString } from '../../../src/net/connect-string.ts';
import { createBackoff } from '../../../src/time/backoff.ts';

/** Writes znodes as Druid's processes do. Every method makes the parents it needs. */
export interface Writer {
  readonly client: Client;
  put(path: string, data?: string | Buffer, mode?: number): Promise<string>;
  remove(path: string): Promise<void>;
  /** A latch child for this URL; yields its path. */
  elect(latch: string, origin: string): Promise<string>;
  /** `service`: `druid.service`, where it is not as usual. */
  announce(folder: string, nodeType: string, port: number, service?: string): Promise<string>;
  close(): void;
}

const SESSION_TIMEOUT_MS = 30_000;
const LOST: readonly unknown[] = [Exception.CONNECTION_LOSS, Exception.SESSION_EXPIRED];

type Done<T> = (error: unknown, value: T) => void;

/**
 * A session that outlives the servers' faults: what fails because there is no connection is tried again when there is
 * one. The library alone would forget it, and hang after one of the faults that the tests are about.
 */
export async function connectWriter(connect: string, auth?: string): Promise<Writer> {
  const { servers, chroot } = parseConnectString(connect);
  const [user = '', password = ''] = auth?.split(':') ?? [];
  const backoff = createBackoff({ servers: servers.length, random: Math.random, capMs: 200 });
  let connected = false;
  let ready = Promise.withResolvers<void>();
  let connection = open();

  function open(): ZooKeeperConnection {
    const reopen = (): void => {
      connection = open();
    };
    return openConnection({
      servers,
      chroot,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      credentials: auth === undefined ? null : { scheme: 'digest', user, password },
      tls: null,
      backoff,
      onConnected() {
        connected = true;
        ready.resolve();
      },
      onDisconnected() {
        if (connected) ready = Promise.withResolvers();
        connected = false;
      },
      onExpired: reopen,
      onAuthenticationFailed: reopen,
      onBroken: reopen,
    });
  }

  /** `again` stands for errors of a second try that say that the first one was carried out. */
  async function run<T>(
    call: (done: Done<T>) => void,
    again: ReadonlyMap<unknown, T> = new Map(),
  ): Promise<T> {
    for (let tries = 0; ; tries++) {
      await ready.promise;
      try {
        return await new Promise<T>((resolve, reject) => {
          call((error, value) => (error ? reject(error) : resolve(value)));
        });
      } catch (error) {
        const { code } = error as { readonly code?: unknown };
        const done = again.get(code);
        if (tries > 0 && done !== undefined) return done;
        if (!LOST.includes(code)) throw new Error(String(error));
      }
    }
  }

  const writer: Writer = {
    get client() {
      return connection.client;
    },
    async put(path, data = '', mode = CreateMode.PERSISTENT) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (parent !== '') await run<string>((done) => writer.client.mkdirp(parent, done));
      return run<string>(
        (done) => writer.client.create(path, Buffer.from(data), mode, done),
        new Map([[Exception.NODE_EXISTS, path]]),
      );
    },
    async remove(path) {
      const nothing = (done: Done<true>) => (error: unknown) => done(error, true);
      await run<true>(
        (done) => writer.client.remove(path, -1, nothing(done)),
        new Map([[Exception.NO_NODE, true]]),
      );
    },
    elect(latch, origin) {
      const name = `_c_${crypto.randomUUID()}-latch-`;
      return writer.put(`${latch}/${name}`, origin, CreateMode.EPHEMERAL_SEQUENTIAL);
    },
    announce(folder, nodeType, port, service = `druid/${nodeType}`) {
      const druidNode = { service, host: '127.0.0.1', plaintextPort: port, tlsPort: -1 };
      const json = JSON.stringify({ druidNode, nodeType, services: {} });
      return writer.put(`${folder}/127.0.0.1:${port}`, json, CreateMode.EPHEMERAL);
    },
    close: () => void connection.close(500),
  };
  await ready.promise;
  return writer;
}
