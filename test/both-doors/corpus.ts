import { readFileSync } from 'node:fs';

/** Bytes that readers of HTTP have read differently, with what comes of them here by either door. */
export interface CorpusCase {
  readonly name: string;
  /** One character an octet. */
  readonly bytes: string;
  /** Methods and targets that reach the node. */
  readonly seen: string;
  /** Status codes, and whether the connection is closed after them. */
  readonly answered: string;
}

const PIECES: Readonly<Record<string, string>> = {
  POST: 'POST /druid/v2/x HTTP/1.1\r\nHost: a\r\n',
  GET: 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n',
  NEXT: 'GET /druid/v2/next HTTP/1.1\r\nHost: a\r\n\r\n',
};
const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' };

export const CORPUS: readonly CorpusCase[] = readFileSync(new URL('corpus.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [name = '', bytes = '', seen = '', answered = ''] = line.split('|').map((part) => part.trim());
    return { name, bytes: expanded(bytes), seen: unescaped(seen), answered };
  });

function expanded(text: string): string {
  return unescaped(
    text.replaceAll(/<(?:(POST|GET|NEXT)|([^<>]+?)\*(\d+))>/g, (_, piece, unit, times) =>
      piece === undefined ? String(unit).repeat(Number(times)) : (PIECES[piece] ?? ''),
    ),
  );
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:x([\da-f]{2})|(.))/g, (_, code, letter) =>
    code === undefined ? (ESCAPES[letter] ?? '') : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
