import { expect, test } from 'vitest';
import { fromHere } from '../../../src/net/host-port.ts';

test.each([
  ['0.0.0.0', '127.0.0.1:9888'],
  ['::', '[::1]:9888'],
  ['::1', '[::1]:9888'],
  ['gateway-1', 'gateway-1:9888'],
  ['constructor', 'constructor:9888'],
])('a listener on %s is reached from its own machine at %s', (host, place) => {
  expect(fromHere({ host, port: 9888 })).toBe(place);
});
