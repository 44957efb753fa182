import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProbeClient, type ProbeClient } from '../../../src/cluster/probe.ts';
import { createUpstreamProbes } from '../../../src/upstream/probes.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';

const KINDS = { 'node:http': createProbeClient, 'our own client': createUpstreamProbes(recordErrors()) };

let server: Server;
let origin: string;
let client: ProbeClient;
/** What came of each connection, in order. */
let connections: { readonly socket: Socket; heads: string[] }[];
let answer: (socket: Socket, head: string) => void;

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('probes by %s', (kind) => {
  beforeEach(async () => {
    connections = [];
    answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nX-Who: me\r\nContent-Length: 4\r\n\r\ntrue');
    server = createServer((socket) => {
      const connection = { socket, heads: [] as string[] };
      connections.push(connection);
      socket.on('error', () => {});
      socket.on('data', (data) => {
        connection.heads.push(data.toString());
        answer(socket, data.toString());
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = KINDS[kind]({ timeoutMs: 500 });
  });
  afterEach(async () => {
    await client.close();
    for (const { socket } of connections) socket.destroy();
    server.close();
  });

  test('say status, body and headers, on one kept connection', async () => {
    for (let i = 0; i < 3; i++) {
      expect(await client.probe(origin, '/x', { authorization: 'Basic eA==' })).toMatchObject({
        kind: 'answer',
        status: 200,
        body: 'true',
        headers: { 'x-who': 'me' },
      });
    }
    expect(connections.map(({ heads }) => heads.length)).toEqual([3]);
    expect(connections[0]?.heads[0]).toMatch(
      /^GET \/x HTTP\/1\.1\r\n(?:.*\r\n)*authorization: Basic eA==\r\n/i,
    );
  });

  test('are asked anew where the node ends the idle connection just then', async () => {
    expect(await client.probe(origin, '/x')).toMatchObject({ status: 200 });
    const usual = answer;
    answer = (socket, head) => {
      if (connections.length === 1) socket.destroy();
      else usual(socket, head);
    };
    expect(await client.probe(origin, '/x')).toMatchObject({ kind: 'answer', status: 200 });
    expect(connections).toHaveLength(2);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => {}],
    ['says a head and no more', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n')],
    [
      'drips',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const timer = setInterval(() => socket.write('1\r\na\r\n'), 50);
        socket.on('close', () => clearInterval(timer));
      },
    ],
    ['hangs up', (socket) => socket.destroy()],
    ['says what is no HTTP', (socket) => socket.write('220 mail\r\n\r\n')],
  ])('of a node that %s are silent within their time', async (_, other) => {
    answer = other;
    const began = performance.now();
    expect(await client.probe(origin, '/x')).toEqual({ kind: 'silent' });
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('where nobody listens are refused', async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await client.probe(origin, '/x')).toEqual({ kind: 'refused' });
  });

  test('read no more of a long body than they may, and let its connection go', async () => {
    answer = (socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(90_000)}`);
    const told = await client.probe(origin, '/x');
    expect(told).toMatchObject({ kind: 'answer', status: 200, body: 'a'.repeat(4096) });
    await new Promise<void>((resolve) => {
      const [first] = connections;
      if (first?.socket.closed) resolve();
      else first?.socket.on('close', resolve);
    });
  });
});
