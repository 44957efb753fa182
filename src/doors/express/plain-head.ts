import type { HeaderBlock } from '../../http/header-block.ts';

/** The head of a request that every reader of HTTP/1.1 reads in the same way. */
export interface PlainHead {
  readonly method: string;
  readonly target: string;
  readonly block: HeaderBlock;
  /** With the empty line, in bytes. */
  readonly length: number;
}

/**
 * Five methods, a target of visible ASCII, and lines of a name, a colon, one blank, and a value without white space
 * around it. Whatever differs in the least is for `node:http` to judge.
 */
const HEAD =
  /(GET|POST|PUT|DELETE|HEAD) (\/[!-~]*) HTTP\/1\.1\r\n((?:[!#$%&'*+\-.^_`|~\dA-Za-z]+: [!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?\r\n)+)\r\n/y;
/** The beginning of one, with its first line whole. */
const BEGINNING =
  /^(?:GET|POST|PUT|DELETE|HEAD) \/[!-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+\-.^_`|~\dA-Za-z]+: [!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?\r\n)*(?:[!#$%&'*+\-.^_`|~\dA-Za-z]+(?::(?: (?:[!-~\x80-\xff][\t -~\x80-\xff]*\r?)?)?)?|\r)?$/;

/** The head at the beginning of a text (one character an octet), or null. */
export function plainHead(text: string): PlainHead | null {
  HEAD.lastIndex = 0;
  const match = HEAD.exec(text);
  if (match === null) return null;
  const [{ length }, method = '', target = '', block = ''] = match;
  return { method, target, block, length };
}

/** Whether more bytes could make a plain head of it; if not, `node:http` may know already that it is none at all. */
export function mayBecomePlain(text: string): boolean {
  return BEGINNING.test(text);
}
