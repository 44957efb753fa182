import { randomBytes } from 'node:crypto';

const TAKEN = /^[\w.-]{1,128}$/;

/** Ids for requests: the client's own `X-Request-Id` if it is harmless, otherwise a counter after a random prefix. */
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
