import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askHaproxy } from '../../../../src/feeds/haproxy/socket.ts';

let folder: string;
let path: string;
let server: Server;
let sockets: Socket[];
let asked: string[];
/** What is done with a line; the socket stays open unless it is ended. */
let answer: (socket: Socket) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-haproxy-'));
  path = join(folder, 'admin.sock');
  sockets = [];
  asked = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', (line) => {
      asked.push(String(line));
      answer(socket);
    });
  }).listen(path);
  await once(server, 'listening');
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

test('a line is written, and the answer is what comes until the end', async () => {
  answer = (socket) => {
    socket.write('1\n# be_');
    setImmediate(() => socket.end('id\n\n'));
  };
  expect(await askHaproxy(path, 'show servers state b', 1_000)).toBe('1\n# be_id\n\n');
  expect(asked).toEqual(['show servers state b\n']);
});

test('an answer that does not end is an error after its time', async () => {
  answer = (socket) => void socket.write('1\n');
  await expect(askHaproxy(path, 'x', 50)).rejects.toThrow('no answer within 50 ms');
});

test('an answer without end is an error before it fills the memory', async () => {
  answer = (socket) => {
    const piece = Buffer.alloc(256 * 1024, 'x');
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
      socket.once('drain', more);
    };
    more();
  };
  await expect(askHaproxy(path, 'x', 60_000)).rejects.toThrow('the answer is too long');
});

test('a socket that is not there, and one that nobody listens on, are told apart', async () => {
  await expect(askHaproxy(join(folder, 'other.sock'), 'x', 1_000)).rejects.toThrow('there is no such socket');
  await expect(askHaproxy(folder, 'x', 1_000)).rejects.toThrow('nobody listens on the socket');
});
