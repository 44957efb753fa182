import { isIPv6 } from 'node:net';

/** `reg-name` or IPv4 with a port. A comma, which the grammar has, is two hosts in one line to whoever reads lists. */
const NAMED = /^(?:[\w\-.~!$&'()*+;=]|%[\da-fA-F]{2})+(?::\d*)?$/;
const LITERAL = /^\[(?:([\da-fA-F:.]+)|v[\da-fA-F]+\.[\w\-.~!$&'()*+,;=:]+)\](?::\d*)?$/;

/**
 * Whether a value is that of a `Host` header: `uri-host [ ":" port ]` (RFC 9112 3.2, RFC 3986 3.2.2), of ASCII. An
 * empty host is none of an http URI (RFC 9110 4.2.1).
 */
export function isHostField(value: string): boolean {
  if (NAMED.test(value)) return true;
  const literal = LITERAL.exec(value);
  return literal !== null && (literal[1] === undefined || isIPv6(literal[1]));
}
