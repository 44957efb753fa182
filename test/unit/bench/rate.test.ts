import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type Load, runWrk } from '../../../bench/wrk.ts';

/** Where there is no wrk, nobody runs the bench either. */
const missing = spawnSync('sh', ['-c', 'command -v wrk && command -v taskset']).status !== 0;
/** One that this process may use. */
const core = Number(/^Cpus_allowed_list:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

/** A second of 100 requests a second on two connections to a server that does this with each request. */
async function run(serve: (socket: Socket) => void): Promise<Load> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => serve(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return runWrk(
    {
      url: `http://127.0.0.1:${port}/druid/v2/sql`,
      method: 'POST',
      bodyBytes: 200,
      connections: 2,
      rate: 100,
      seconds: 1,
      core,
    },
    new AbortController().signal,
  );
}

test.skipIf(missing)('an open loop counts from when a request was due, sent or not', async () => {
  let stalled: Socket[] | null = [];
  const load = await run((socket) => {
    if (stalled === null) return void socket.write(OK);
    stalled.push(socket);
    if (stalled.length > 1) return;
    setTimeout(() => {
      for (const one of stalled ?? []) one.write(OK);
      stalled = null;
    }, 700);
  });
  expect(load).toMatchObject({ requests: 100, failed: 0, refused: 0, cut: 0, late: 0 });
  // Two requests waited for the server. All those that were due meanwhile, seven of ten, waited for these two.
  expect(load.p50Us).toBeGreaterThan(100_000);
  expect(load.p999Us).toBeGreaterThan(600_000);
});

test.skipIf(missing)('bad answers and lost connections are counted, and the rest goes on', async () => {
  let count = 0;
  const load = await run((socket) => {
    count++;
    if (count % 10 === 0) socket.destroy();
    else if (count % 10 === 1) socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
    else socket.write(OK);
  });
  expect(load).toMatchObject({ requests: 90, failed: 10, refused: 0, cut: 10, late: 0 });
});

test.skipIf(missing)('answers in pieces are one answer', async () => {
  const load = await run((socket) => {
    socket.setNoDelay(true);
    socket.write(OK.slice(0, 20));
    setImmediate(() => {
      socket.write(OK.slice(20, -1));
      setImmediate(() => socket.write(OK.slice(-1)));
    });
  });
  expect(load).toMatchObject({ requests: 100, failed: 0, cut: 0, late: 0, bytes: 100 * OK.length });
});
