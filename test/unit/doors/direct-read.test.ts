import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leaveRead, readDirectly } from '../../../src/doors/express/direct-read.ts';
import { eventually } from '../../kit/eventually.ts';

let server: net.Server;
let client: net.Socket;
let accepted: net.Socket;
let read: string;

const take = (chunk: Buffer): void => {
  read += chunk.toString('latin1');
};

beforeEach(async () => {
  read = '';
  server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connected = once(server, 'connection');
  client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  [accepted] = (await connected) as [net.Socket];
  readDirectly(accepted, take);
});

afterEach(() => {
  client.destroy();
  accepted.destroy();
  server.close();
});

describe('a socket that is read directly', () => {
  test('emits no data event while it flows', async () => {
    const heard: Buffer[] = [];
    accepted.on('data', (chunk) => heard.push(chunk));
    client.write('abc');
    await eventually(async () => read === 'abc');
    expect(heard).toEqual([]);
  });

  test('gives all bytes once and in order, however it is paused and resumed', async () => {
    const step = fc.constantFrom('write', 'pause', 'resume', 'turn', 'long');
    let sent = '';
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        for (const one of steps) {
          if (one === 'pause') accepted.pause();
          else if (one === 'resume') accepted.resume();
          else if (one === 'turn') await turn();
          else {
            const piece = `${sent.length};`.padEnd(one === 'long' ? 100_000 : 1, '.');
            sent += piece;
            client.write(piece, 'latin1');
          }
        }
        accepted.resume();
        await eventually(async () => read.length >= sent.length);
        expect(read === sent).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('gives nothing while it is paused, and what came then before what comes when it has just been resumed', async () => {
    accepted.pause();
    client.write('kept ');
    await eventually(async () => accepted.readableLength === 5);
    expect(read).toBe('');
    accepted.resume();
    accepted.push(Buffer.from('next'));
    await eventually(async () => read.length === 9);
    expect(read).toBe('kept next');
  });

  test('gives what is put back first, and its end', async () => {
    accepted.pause();
    accepted.unshift(Buffer.from('first '));
    const ended = once(accepted, 'end');
    accepted.resume();
    client.end('then');
    await ended;
    expect(read).toBe('first then');
  });

  test('gives what another one adds to it by the event', async () => {
    client.write('a');
    await eventually(async () => read === 'a');
    accepted.emit('data', Buffer.from('b'));
    expect(read).toBe('ab');
  });

  test('is read by whoever comes next once it is left', async () => {
    client.write('mine ');
    await eventually(async () => read === 'mine ');
    leaveRead(accepted, take);
    accepted.pause();
    let theirs = '';
    accepted.on('data', (chunk) => {
      theirs += chunk.toString('latin1');
    });
    accepted.resume();
    client.write('theirs');
    await eventually(async () => theirs === 'theirs');
    expect(read).toBe('mine ');
  });
});
