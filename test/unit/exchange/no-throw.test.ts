import fc from 'fast-check';
import { describe, test } from 'vitest';
import { mayBecomePlain, plainHead } from '../../../src/doors/express/plain-head.ts';
import { clientOrigin } from '../../../src/exchange/client-origin.ts';
import { forwardedHead, requestFault } from '../../../src/exchange/forwarded-head.ts';
import { splitLocation } from '../../../src/exchange/own-answers/redirect.ts';
import { flatOf, headerValue, without } from '../../../src/http/header-block.ts';
import { namedInConnection } from '../../../src/http/hop-by-hop.ts';
import { readRequestFields } from '../../../src/http/request-fields.ts';
import { answerTrailers, relayedHead } from '../../../src/http/response-framing.ts';
import { readAnswerHead } from '../../../src/http/response-head.ts';
import { blocks, texts } from '../../kit/clients/corners.ts';

function readBlock(block: string): void {
  const fields = readRequestFields(block);
  const ends = { remoteAddress: '', encrypted: false, certificateName: null, httpMinor: 1, receivedAt: 0 };
  const head = { id: 'r', method: 'GET', target: '/', block, fields, ...ends };
  requestFault(head);
  for (const trusted of [true, false]) {
    for (const forwardedHeader of ['x-forwarded-for', 'forwarded'] as const) {
      forwardedHead(head, clientOrigin(head, { trusts: () => trusted, forwardedHeader }));
    }
  }
  for (const minor of [0, 1]) {
    for (const status of [0, 200, 204, 304, 999]) {
      const answer = readAnswerHead(status, block, minor, block);
      if (answer === null) continue;
      relayedHead(answer, { bodiless: false, httpMinor: minor, rewriteLocation: String });
    }
  }
  answerTrailers(block, true);
  namedInConnection(block, null);
  flatOf(block);
  headerValue(block, 'connection');
  without(block, new Set(['connection']));
  splitLocation(block);
}

describe('nothing that reads heads throws, and all of it ends', () => {
  test('whatever the head', () => {
    fc.assert(fc.property(blocks, readBlock), { numRuns: 5_000 });
  });

  test.each([
    'x',
    'Connection: close',
    'Connection',
    ':\r',
    '\r\n\r\n',
    '\r\n',
    'a: b\r\nc',
    ' '.repeat(10_000),
  ])('for %j, which ends without a line break, or has nothing else', (block) => readBlock(block));

  test('whatever bytes come first', () => {
    fc.assert(
      fc.property(fc.oneof(texts, blocks), (text) => {
        for (const head of [text, `GET / HTTP/1.1\r\n${text}`, `GET /${text} HTTP/1.1\r\nHost: a\r\n\r\n`]) {
          mayBecomePlain(head);
          const plain = plainHead(head);
          if (plain !== null) readBlock(plain.block);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
