import { describe, expect, it } from 'vitest';
import { bytesLeft } from '../../../kit/heap-program.ts';

const MODULE = new URL('../../../../src/exchange/limits/concurrency.ts', import.meta.url);

const SET_UP = `
  import { createConcurrency } from '${MODULE}';
  const none = { coordinator: 0, overlord: 0, broker: 0 };
  const limits = createConcurrency({ total: 0, roles: none, perClient: 8, largeShare: 1 }, () => {});
  const ask = (client) => {
    const claim = { role: 'broker', client, large: false };
    if (limits.limitReached(claim) !== null) throw new Error('the client has nothing at a node');
    limits.enter(claim);
    limits.leave(claim);
  };
  let client = 0;
`;

describe('the requests of a client', () => {
  it('leave nothing behind, however often it asks', () => {
    expect(bytesLeft(SET_UP, "for (let i = 0; i < 1e6; i++) ask('10.0.0.1');")).toBeLessThan(1e6);
  });

  it('are forgotten with it, however many clients there are', () => {
    expect(bytesLeft(SET_UP, "for (let i = 0; i < 2e5; i++) ask('client ' + client++);")).toBeLessThan(1e6);
  });
});
