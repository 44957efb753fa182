import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RequestHead } from '../../src/exchange/client-side.ts';
import { answerHead, answerTrailers, forwardedHead } from '../../src/exchange/header-policy.ts';

const head = (rawHeaders: readonly string[], httpMinor = 1): RequestHead => ({
  method: 'GET',
  target: '/',
  rawHeaders: ['Host', 'gw', ...rawHeaders],
  httpMinor,
  remoteAddress: '192.0.2.1',
  encrypted: false,
  id: 'id-1',
  receivedAt: 0,
});

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,15}$/);
const value = fc.stringMatching(/^[ -~]{0,20}$/);
const flat = fc.array(fc.tuple(token, value), { maxLength: 12 }).map((pairs) => pairs.flat());

const OURS = /^(?:x-forwarded-.*|forwarded|via|x-request-id|host)$/;
const DROPPED =
  /^(?:connection|keep-alive|proxy-(?:connection|authorization|authenticate)|te|trailer|transfer-encoding|upgrade|http2-settings|expect|content-length)$/;

test('everything that is not of one hop goes on, in order, with its case and duplicates', () => {
  fc.assert(
    fc.property(flat, (headers) => {
      const sent: string[] = [];
      for (let i = 0; i < headers.length; i += 2) {
        const name = headers[i] ?? '';
        if (/^connection$/i.test(name)) return;
        if (!DROPPED.test(name.toLowerCase()) && !OURS.test(name.toLowerCase()))
          sent.push(name, headers[i + 1] ?? '');
      }
      const { headers: forwarded } = forwardedHead(head(headers), { trusted: false });
      expect(forwarded.slice(0, sent.length)).toEqual(sent);
      const ours = forwarded.slice(sent.length).filter((_, i) => i % 2 === 0);
      expect(ours).toEqual([
        ...['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host'],
        ...(forwarded.filter((name) => name === 'Via').length > 1 ? ['Via'] : []),
        ...['Via', 'X-Request-Id'],
      ]);
    }),
  );
});

test('no header of one hop and none named in Connection goes on, but none that matters can be named away', () => {
  fc.assert(
    fc.property(flat, token, (headers, named) => {
      const lower = named.toLowerCase();
      const raw = [
        'Connection',
        `close, ${named}`,
        ...headers,
        named,
        'x',
        'Authorization',
        'a',
        'Content-Type',
        'b',
      ];
      raw.push('Connection', 'Authorization, Content-Type, X-Forwarded-For, Host');
      const { headers: forwarded } = forwardedHead(head(raw), { trusted: false });
      const names = forwarded.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
      for (const name of names) expect(name).not.toMatch(DROPPED);
      if (
        !OURS.test(lower) &&
        !/^(?:accept|content-|x-druid-|authorization|cookie|set-cookie|date|etag|location|www-auth|cache-c)/.test(
          lower,
        )
      ) {
        expect(names).not.toContain(lower);
      }
      expect(names).toEqual(
        expect.arrayContaining(['authorization', 'content-type', 'x-forwarded-for', 'via']),
      );
    }),
  );
});

test('one framing, one Host', () => {
  const fault = (...raw: string[]): string | null => forwardedHead(head(raw), { trusted: false }).fault;
  expect(fault('Content-Length', '3')).toBeNull();
  expect(fault('Transfer-Encoding', 'Chunked')).toBeNull();
  expect(fault('Content-Length', '3', 'Transfer-Encoding', 'chunked')).not.toBeNull();
  expect(fault('Transfer-Encoding', 'chunked', 'Content-Length', '3')).not.toBeNull();
  expect(fault('Transfer-Encoding', 'gzip, chunked')).not.toBeNull();
  expect(fault('Host', 'b')).not.toBeNull();
});

const context = {
  status: 200,
  bodiless: false,
  httpMinor: 1,
  rewriteLocation: (location: string) => location,
};

test('an answer is framed for its client', () => {
  const chunked = ['Transfer-Encoding', 'chunked', 'Trailer', 'X-T'];
  expect(answerHead(chunked, context)).toMatchObject({
    chunked: true,
    headers: ['Trailer', 'X-T', 'Transfer-Encoding', 'chunked'],
  });
  expect(answerHead(chunked, { ...context, httpMinor: 0 }).headers).toEqual([]);
  expect(answerHead(chunked, { ...context, bodiless: true }).headers).toEqual([]);
  expect(answerHead(['Content-Length', '3', 'Trailer', 'X-T'], context).headers).toEqual([
    'Content-Length',
    '3',
  ]);
  expect(answerHead(['Content-Length', '0'], { ...context, status: 204 }).headers).toEqual([]);
  expect(answerHead(['Date', 'a', 'date', 'b'], context)).toMatchObject({
    hasDate: true,
    headers: ['Date', 'a', 'Transfer-Encoding', 'chunked'],
  });
});

test('a trailer cannot smuggle a line or a framing', () => {
  const { trailers, incomplete } = answerTrailers([
    ...['X-Error-Message', 'a\r\nSet-Cookie: b\nc\0'],
    ...['Content-Length', '1', 'Transfer-Encoding', 'chunked', 'Connection', 'x'],
  ]);
  expect(trailers).toEqual(['X-Error-Message', 'a Set-Cookie: b c ']);
  expect(incomplete).toBe(true);
  expect(answerTrailers(['X-Druid-Response-Complete', ' TRUE ']).incomplete).toBe(false);
});
