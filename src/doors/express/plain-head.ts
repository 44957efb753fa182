import type { HeaderBlock } from '../../http/header-block.ts';

/** A request head that every HTTP/1.1 parser reads in the same way. */
export interface PlainHead {
  readonly method: string;
  readonly target: string;
  readonly block: HeaderBlock;
  /** Length of the head in bytes, blank line included. */
  readonly length: number;
}

/**
 * Five methods, a target of visible ASCII, and lines of a name, a colon, one space, and a value without white space
 * around it. Any other head is left to `node:http`.
 */
const HEAD =
  /(GET|POST|PUT|DELETE|HEAD) (\/[!-~]*) HTTP\/1\.1\r\n((?:[!#$%&'*+\-.^_`|~\dA-Za-z]+: [!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?\r\n)+)\r\n/y;
/** The beginning of such a head, with a complete first line. */
const BEGINNING =
  /^(?:GET|POST|PUT|DELETE|HEAD) \/[!-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+\-.^_`|~\dA-Za-z]+: [!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?\r\n)*(?:[!#$%&'*+\-.^_`|~\dA-Za-z]+(?::(?: (?:[!-~\x80-\xff][\t -~\x80-\xff]*\r?)?)?)?|\r)?$/;

/** Returns the plain head at the beginning of `text` (one character per octet), or null. */
export function plainHead(text: string): PlainHead | null {
  HEAD.lastIndex = 0;
  const match = HEAD.exec(text);
  if (match === null) return null;
  const [{ length }, method = '', target = '', block = ''] = match;
  return { method, target, block, length };
}

/** Whether more bytes could complete a plain head. If not, `node:http` may already be able to reject it. */
export function mayBecomePlain(text: string): boolean {
  return BEGINNING.test(text);
}
