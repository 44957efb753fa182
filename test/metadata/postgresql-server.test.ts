import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type PostgresqlServer,
  startPostgresql,
  startStandby,
} from '../../tools/druid-cluster/postgresql-server.ts';
import { testPorts } from '../kit/net/ports.ts';

let folder: string;
let primary: PostgresqlServer;
let standby: PostgresqlServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-postgresql-'));
  const [first = 0, second = 0] = await testPorts(2);
  primary = await startPostgresql({ folder: join(folder, 'a'), port: first, fsync: false });
  standby = await startStandby({
    folder: join(folder, 'b'),
    port: second,
    fsync: false,
    primary,
    synchronous: true,
  });
});

afterAll(async () => {
  await Promise.all([primary?.close(), standby?.close()]);
  await rm(folder, { recursive: true });
});

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  try {
    await client.connect();
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

test('what the primary acknowledged is at its standby, which takes its place', async () => {
  await ask(primary.url, 'CREATE TABLE kept AS SELECT 7 AS n');
  await primary.kill('SIGKILL');
  await standby.promote();
  expect(await ask(standby.url, 'SELECT n FROM kept')).toEqual([7]);
  await ask(standby.url, 'INSERT INTO kept VALUES (8)');
  expect(await ask(standby.url, 'SHOW server_encoding')).toEqual(['UTF8']);
});

test('a server that was killed starts again with what it had', async () => {
  primary = await startPostgresql({ folder: join(folder, 'a'), port: primary.port, fsync: false });
  expect(await ask(primary.url, 'SELECT n FROM kept')).toEqual([7]);
});
