import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresqlPair } from '../../demo/ha/postgresql-pair.ts';

let folder: string;
let pair: PostgresqlPair;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-pair-'));
  pair = await PostgresqlPair.start({ folder, fsync: false });
});

afterAll(async () => {
  await pair?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A connection to the primary as Druid's driver makes it: through the links, to whichever of the two takes writes. */
async function connect(): Promise<pg.Client> {
  const { user, password } = pair.credentials;
  const ports = [...pair.jdbcUrl.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  for (const port of ports) {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user,
      password,
      database: 'druid',
      connectionTimeoutMillis: 1_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
      if (rows[0]?.standby === false) return client;
    } catch {
      // Not this one.
    }
    await client.end().catch(() => {});
  }
  throw new Error('no server takes writes');
}

async function ask(sql: string): Promise<unknown[]> {
  const client = await connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

const insert = (n: number): Promise<unknown[]> => ask(`INSERT INTO kept VALUES (${n}) RETURNING n`);

test('what was acknowledged outlives the primary, however it goes, and each time there is a pair again', async () => {
  await ask('CREATE TABLE kept (n integer)');
  const first = pair.primaryName;
  await insert(1);
  await pair.killPrimary();
  await pair.failOver();
  expect(pair.primaryName).not.toBe(first);
  await insert(2);
  await pair.repair();
  expect(pair.standbyName).toBe(first);
  await insert(3);
  pair.cutPrimaryOff();
  await expect(connect()).rejects.toThrow('no server takes writes');
  await pair.failOver();
  expect(pair.primaryName).toBe(first);
  await pair.repair();
  expect(await ask('SELECT n FROM kept ORDER BY n')).toEqual([1, 2, 3]);
});

test('without its standby the primary acknowledges nothing, until it is let go on alone', async () => {
  await pair.killStandby();
  const client = await connect();
  let acknowledged = false;
  const written = client.query('INSERT INTO kept VALUES (4)').then(() => {
    acknowledged = true;
  });
  // It waits for the standby, which is to be seen from outside.
  const waits = `SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'`;
  while ((await ask(waits))[0] !== 1);
  expect(acknowledged).toBe(false);
  await pair.releasePrimary();
  await written;
  await client.end();
  await pair.repair();
  await insert(5);
  expect(await ask('SELECT max(n) FROM kept')).toEqual([5]);
});

test('what is broken when it is mended early is a pair again, too', async () => {
  const primary = pair.primaryName;
  await pair.killPrimary();
  await pair.repair();
  expect(pair.standbyName).toBe(primary);
  pair.cutPrimaryOff();
  await pair.repair();
  expect(await insert(6)).toEqual([6]);
});
