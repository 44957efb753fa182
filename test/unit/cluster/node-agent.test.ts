import { afterEach, expect, test } from 'vitest';
import { createNodeAgent } from '../../../src/cluster/node-agent.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream | null = null;
const agent = createNodeAgent({ connections: 1, keepAliveMs: 10_000 });
afterEach(async () => {
  agent.close();
  await node?.close();
});

async function get(): Promise<string> {
  const answer = await agent.get(node?.origin ?? '', '/status/health', {}, AbortSignal.timeout(5_000));
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return text;
}

test('a connection is used again, and its end before the next answer costs one more attempt', async () => {
  let ends = false;
  node = await startUpstream((_, socket) => {
    if (ends) socket.destroy();
    else socket.write(json(true));
    ends = false;
  });
  expect(await get()).toBe('true');
  expect(await get()).toBe('true');
  ends = true;
  expect(await get()).toBe('true');
  expect(node.requests.map(({ connection }) => connection)).toEqual([0, 0, 0, 1]);
});

test('a node that ends every connection is asked once on a new one', async () => {
  node = await startUpstream((_, socket) => socket.destroy());
  await expect(get()).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(node.requests).toHaveLength(1);
});

test('a node that changes the protocol has not answered', async () => {
  node = await startUpstream((_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
  });
  await expect(get()).rejects.toThrow('changed the protocol');
});

test('interim answers are not taken for the answer', async () => {
  node = await startUpstream((_, socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
    socket.write(plain('200 OK', [], 'false'));
  });
  expect(await get()).toBe('false');
});
