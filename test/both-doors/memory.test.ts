import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RunningGateway, startGatewayWith } from '../kit/gateway/gateway-process.ts';
import { type FakeUpstream, json, startUpstream } from '../kit/upstream/fake-upstream.ts';

const CLIENTS = 20;
const LENGTH = 2 * 1024 ** 3;
const MIB = 1024 ** 2;
/**
 * How much the process may grow: what it holds for each connection is bounded, not what passes through it. Garbage that
 * has not been collected was seen to be up to 60 MiB, more than what is held; without a bound it would be gigabytes.
 */
const MOST_GROWTH = 100 * MIB;
const FOR_MS = 3_000;
const DOWNLOAD = 'GET /druid/v2/big HTTP/1.1';
const UPLOAD = `POST /druid/v2/sql HTTP/1.1\r\nContent-Length: ${LENGTH}`;
const PIECE = Buffer.alloc(256 * 1024, 'x');

let node: FakeUpstream;
let gateway: RunningGateway;
let sockets: net.Socket[];
/** Bytes of uploads that the node has read. */
let uploaded = 0;
/** The node reads as fast as it can. */
let quick = false;

/** Writes for as long as the other side takes it. */
function pour(socket: net.Socket): void {
  const fill = (): void => {
    while (socket.writable && socket.write(PIECE));
  };
  socket.on('drain', fill);
  fill();
}

/** Reads nothing for a moment. */
function rest(socket: net.Socket): void {
  socket.pause();
  setTimeout(() => socket.resume(), 20);
}

async function client(head: string): Promise<net.Socket> {
  const socket = net.connect({ port: Number(new URL(gateway.url).port), host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(`${head}\r\nHost: a\r\n\r\n`);
  sockets.push(socket);
  return socket;
}

async function rss(): Promise<number> {
  const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** The most that the process has beyond what it has now, while this goes on. */
async function growth(): Promise<number> {
  const before = await rss();
  let most = 0;
  for (const end = performance.now() + FOR_MS; performance.now() < end; await sleep(100)) {
    most = Math.max(most, (await rss()) - before);
  }
  return most;
}

/** One that is quick, so that what a process always has with such is there already. */
async function warmUp(head: string): Promise<void> {
  quick = true;
  const socket = await client(head);
  if (head === UPLOAD) pour(socket);
  const bytes = (): number => socket.bytesRead + uploaded;
  socket.on('data', () => {});
  while (bytes() < 256 * MIB) await sleep(20);
  socket.destroy();
  uploaded = 0;
  quick = false;
}

beforeEach(async () => {
  sockets = [];
  uploaded = 0;
  node = await startUpstream(({ target }, socket) => {
    if (!target.startsWith('/druid/v2')) {
      socket.write(json(true));
      return;
    }
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${LENGTH}\r\n\r\n`);
    pour(socket);
  });
  node.onHead = (head, socket) => {
    if (!head.startsWith('POST')) return null;
    return (data) => {
      uploaded += data.length;
      if (!quick) rest(socket);
    };
  };
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await gateway.stop();
  await node.close();
});

describe.for(['express', 'front'])('by the %s door', (door) => {
  beforeEach(async () => {
    gateway = await startGatewayWith({
      DOORS__EXPRESS: String(door === 'express'),
      DISCOVERY__TYPE: 'static',
      STATIC__BROKERS: node.origin,
    });
    await gateway.until(({ brokers }) => brokers.some(({ ready }) => ready));
  });

  test('slow readers of large answers hold the node back, and cost no memory', async () => {
    await warmUp(DOWNLOAD);
    let read = 0;
    for (let i = 0; i < CLIENTS; i++) {
      const socket = await client(DOWNLOAD);
      socket.on('data', (data: Buffer) => {
        read += data.length;
        rest(socket);
      });
    }
    expect(await growth()).toBeLessThan(MOST_GROWTH);
    expect(read).toBeGreaterThan(CLIENTS * MIB);
    expect(read).toBeLessThan((CLIENTS * LENGTH) / 4);
  });

  test('a node that reads slowly holds uploads back, and costs no memory', async () => {
    await warmUp(UPLOAD);
    for (let i = 0; i < CLIENTS; i++) {
      pour(await client(UPLOAD));
    }
    expect(await growth()).toBeLessThan(MOST_GROWTH);
    expect(uploaded).toBeGreaterThan(CLIENTS * MIB);
    const sent = sockets.reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0);
    // What is between is in the buffers of the system.
    expect(sent - uploaded).toBeLessThan(CLIENTS * 64 * MIB);
  });
});
