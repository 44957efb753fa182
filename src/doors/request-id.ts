import { randomBytes } from 'node:crypto';

const TAKEN = /^[\w.-]{1,128}$/;

/**
 * Creates a source of request ids: the client's own `X-Request-Id` if it is harmless, otherwise a random prefix and a
 * counter.
 */
export function createRequestIds(
  prefix: string = randomBytes(6).toString('hex'),
): (header: unknown) => string {
  let counter = 0;
  return (header) => {
    if (typeof header === 'string' && TAKEN.test(header)) return header;
    counter++;
    return `${prefix}-${counter.toString(36)}`;
  };
}
