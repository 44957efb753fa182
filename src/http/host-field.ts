import { isIPv6 } from 'node:net';

/** `reg-name` or IPv4, with an optional port. The grammar allows a comma, but list parsers would see two hosts. */
const NAMED = /^(?:[\w\-.~!$&'()*+;=]|%[\da-fA-F]{2})+(?::\d*)?$/;
const LITERAL = /^\[(?:([\da-fA-F:.]+)|v[\da-fA-F]+\.[\w\-.~!$&'()*+,;=:]+)\](?::\d*)?$/;

/** The last value that was valid. Most requests have the same one. */
let lastValid: string | null = null;

/**
 * Whether this is a valid `Host` value: `uri-host [ ":" port ]` (RFC 9112 3.2, RFC 3986 3.2.2), ASCII only. An http
 * URI does not allow an empty host (RFC 9110 4.2.1).
 */
export function isHostField(value: string): boolean {
  if (value === lastValid) return true;
  const valid = NAMED.test(value) || isLiteral(value);
  if (valid) lastValid = value;
  return valid;
}

function isLiteral(value: string): boolean {
  const literal = LITERAL.exec(value);
  return literal !== null && (literal[1] === undefined || isIPv6(literal[1]));
}
