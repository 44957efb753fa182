import { expect, test } from 'vitest';
import { UpstreamNode } from '../../../../src/cluster/node.ts';
import { createPageSender, type PageReply } from '../../../../src/doors/console/page-sender.ts';
import type { UpstreamHandler, UpstreamRequest } from '../../../../src/exchange/ports/upstream.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

const node = new UpstreamNode('http://127.0.0.1:1');
const request = { method: 'GET', target: '/unified-console.html', headers: '' } as unknown as UpstreamRequest;

function sender(reply: Promise<PageReply>) {
  const errors = recordErrors();
  const told: unknown[] = [];
  const handler = { onInternalError: (error: unknown) => told.push(error) } as unknown as UpstreamHandler;
  const { send } = createPageSender(() => reply, { errors } as never);
  return { errors, told, send: () => send(node, request, handler) };
}

/** Once all that had been promised is done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a plugin that cannot be loaded is an internal error of the request', async () => {
  const fault = new Error('on purpose');
  const { errors, told, send } = sender(Promise.reject(fault));
  send();
  expect(node.outstanding).toBe(1);
  await settled();
  expect(told).toEqual([fault]);
  expect(errors.total).toBe(0);
  expect(node.outstanding).toBe(0);
});

test('a plugin that cannot be loaded is told of, where its client has left already', async () => {
  const { errors, told, send } = sender(Promise.reject(new Error('on purpose')));
  send().abort();
  await settled();
  expect(told).toEqual([]);
  expect(errors.counts.upstream).toBe(1);
  expect(node.outstanding).toBe(0);
});

test('no page is asked for, where the client has left before the plugin is loaded', async () => {
  const from = (): never => {
    throw new Error('asked');
  };
  const { errors, told, send } = sender(Promise.resolve({ from }));
  send().abort();
  await settled();
  expect(told).toEqual([]);
  expect(errors.total).toBe(0);
  expect(node.outstanding).toBe(0);
});
