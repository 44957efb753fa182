import { headerValue } from '../http/header-block.ts';
import type { RequestHead } from './ports/client.ts';

/** Credentials of the scheme Basic (RFC 7617): the scheme, then user and password in Base64. */
const BASIC = /^basic +([a-z\d+/]+={0,2})$/i;
/** Longest credentials that are looked at, in characters. Druid's own users have short names. */
const LONGEST = 4 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The user of a request, for the log: the name in `Authorization: Basic`, which is the one that Druid checks, else the
 * name of the client's certificate. Null if there is neither. Nobody has checked the name of the former yet.
 */
export function userOf({
  block,
  certificateName,
}: Pick<RequestHead, 'block' | 'certificateName'>): string | null {
  const authorization = headerValue(block, 'authorization');
  return (authorization === null ? null : basicUser(authorization)) ?? certificateName;
}

/**
 * The user's name in a value of `Authorization`. Null if the value is malformed or of another scheme, and where the name
 * would tell the secret: with an empty password the name is a token, and some have their password in their name.
 */
export function basicUser(authorization: string): string | null {
  if (authorization.length > LONGEST) return null;
  const [, encoded] = BASIC.exec(authorization) ?? [];
  if (encoded === undefined) return null;
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(COLON);
  if (colon < 1) return null;
  const name = decoded(bytes.subarray(0, colon));
  const password = bytes.subarray(colon + 1);
  return name === null || password.length === 0 || bytes.subarray(0, colon).includes(password) ? null : name;
}

const COLON = 58;

/** Null if the bytes are no UTF-8, in which Druid reads them (`BasicHTTPAuthenticator`). */
function decoded(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
