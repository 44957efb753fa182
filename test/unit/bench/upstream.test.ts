import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RECEIVED } from '../../../bench/workloads.ts';
import { freePorts } from '../../../tools/druid-cluster/ports.ts';

const MAIN = fileURLToPath(new URL('../../../bench/upstream.ts', import.meta.url));
let responder: ChildProcess;
let port = 0;
let origin = '';

beforeAll(async () => {
  [port = 0] = await freePorts(1);
  origin = `http://127.0.0.1:${port}`;
  const started = spawn(process.execPath, [MAIN, JSON.stringify([port])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  responder = started;
  await once(started.stdout, 'data');
});
afterAll(() => void responder.kill('SIGKILL'));

/** What comes back until the answers to all these bytes have ended in `end`; each piece is a write of its own. */
async function exchange(pieces: readonly string[], end: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let answer = '';
  const whole = new Promise<void>((resolve, reject) => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (answer.endsWith(end)) resolve();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${answer}`)));
  });
  for (const piece of pieces) {
    await new Promise<void>((resolve, reject) =>
      socket.write(piece, 'latin1', (error) => (error == null ? resolve() : reject(error))),
    );
  }
  await whole;
  socket.destroy();
  return answer;
}

test('it answers queries, pages and probes as Druid would', async () => {
  const sql = await fetch(`${origin}/druid/v2/sql`, { method: 'POST', body: '{"query":"SELECT 1"}' });
  expect(sql.headers.get('content-length')).toBe('500');
  expect(await sql.json()).toHaveLength(1);
  expect((await (await fetch(`${origin}/druid/coordinator/v1/datasources`)).text()).length).toBe(1_024);
  expect(await (await fetch(`${origin}/druid/indexer/v1/leader`)).text()).toBe(origin);
  for (const path of [
    '/druid/coordinator/v1/isLeader',
    '/druid/indexer/v1/isLeader',
    '/druid/broker/v1/readiness',
  ]) {
    expect((await fetch(origin + path)).status).toBe(200);
  }
  // A Broker of before Druid 37.
  expect((await fetch(`${origin}/status/ready`)).status).toBe(404);
});

test('a chunked answer ends with a trailer', async () => {
  const request = 'POST /druid/v2/sql?chunked HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
  const answer = await exchange([request], 'X-Druid-Response-Complete: true\r\n\r\n');
  expect(answer).toContain('\r\nTransfer-Encoding: chunked\r\n');
  expect(answer).toContain('\r\nTrailer: X-Druid-Response-Complete\r\n');
});

test('JDBC requests get a small answer in either format', async () => {
  for (const path of ['/druid/v2/sql/avatica/', '/druid/v2/sql/avatica-protobuf/']) {
    const answer = await fetch(origin + path, { method: 'POST', body: '{}' });
    expect([answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([200, 500]);
  }
});

test('requests end where their framing says, however they are cut', async () => {
  const requests = [
    'POST /druid/indexer/v1/task HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{"a":"b\r\n"}',
    'POST /druid/indexer/v1/task HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'GET /status/health HTTP/1.1\r\nHost: x\r\n\r\n',
  ];
  const answer = await exchange([...requests.join('')], '\r\n\r\ntrue');
  expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
});

test('it says how many bytes of bodies it has had', async () => {
  const received = async (): Promise<number> => Number(await (await fetch(origin + RECEIVED)).text());
  const before = await received();
  const body = 'x'.repeat(3_000_000);
  await (await fetch(`${origin}/druid/indexer/v1/task`, { method: 'POST', body })).text();
  expect((await received()) - before).toBe(body.length);
});
