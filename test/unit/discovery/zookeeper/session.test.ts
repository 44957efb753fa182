import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Session } from '../../../../src/discovery/zookeeper/session.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import {
  framed,
  replyHeader,
  type ScriptedZooKeeper,
  startScriptedZooKeeper,
} from '../../../kit/zookeeper/scripted-zookeeper.ts';

const GET_ACL = 6;
/** A node's figures; the second one is when it was created. */
const STAT = Buffer.alloc(68);
STAT.writeBigInt64BE(1_700_000_000_000n, 16);

let zookeeper: ScriptedZooKeeper;
let session: Session;
const errors = recordErrors();

beforeEach(async () => {
  zookeeper = await startScriptedZooKeeper();
  session = new Session({
    servers: [{ host: '127.0.0.1', port: zookeeper.port }],
    chroot: null,
    sessionTimeoutMs: 12_345,
    credentials: null,
    tls: null,
    maxReconnectDelayMs: 100,
    errors,
    now: Date.now,
    random: Math.random,
  });
  const connected = once(session, 'connected');
  session.start();
  await connected;
});

afterEach(async () => {
  await session.close();
  await zookeeper.close();
  expect(errors.lines).toEqual([]);
});

/** Answers a request of this type with these bytes, and all others with nothing. */
function answer(type: number, bytes: Buffer): void {
  zookeeper.script = (request, _, socket) => {
    if (request.type === type) socket.write(framed(Buffer.concat([replyHeader(request.xid, 0), bytes])));
  };
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const text = (value: string): Buffer => framed(Buffer.from(value));

test('tells the session timeout that the server granted, while it is connected', async () => {
  expect(session.grantedTimeoutMs).toBe(12_345);
  await session.close();
  expect(session.grantedTimeoutMs).toBeNull();
});

test('tells who may do what with a node', async () => {
  const entries = [int(31), text('digest'), text('druid:hash'), int(1), text('world'), text('anyone')];
  answer(GET_ACL, Buffer.concat([int(2), ...entries, STAT]));
  expect(await session.getAcl('/druid')).toEqual([
    { permissions: 31, scheme: 'digest' },
    { permissions: 1, scheme: 'world' },
  ]);
});

test.each([
  ['more entries than there are bytes', [int(2 ** 31 - 1)]],
  ['a scheme that is longer than the packet', [int(1), int(31), int(2 ** 31 - 1)]],
  ['an id of a negative length', [int(1), int(31), text('world'), int(-7)]],
  // The library would read the same eight bytes five million times.
  ['lengths that lead back', [int(5_000_000), int(-4), int(-8), STAT]],
])('an access list with %s closes the connection, and nothing else', async (_, parts) => {
  answer(GET_ACL, Buffer.concat(parts));
  const began = performance.now();
  await expect(session.getAcl('/druid')).rejects.toMatchObject({ code: 'not_connected' });
  expect(session.status.detail).toContain('sent what cannot be read');
  expect(performance.now() - began).toBeLessThan(500);
});

test('tells when a node was created, and null for one that is not there', async () => {
  answer(3, STAT);
  expect(await session.createdAt('/druid')).toBe(1_700_000_000_000);
  zookeeper.script = (_request, reply) => reply.error(-101);
  expect(await session.createdAt('/druid')).toBeNull();
});
