import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clientOrigin } from '../../../src/exchange/client-origin.ts';
import { forwardedHead, requestFault } from '../../../src/exchange/forwarded-head.ts';
import type { RepeatedHead, RequestHead } from '../../../src/exchange/ports/client.ts';
import type { ForwardingPolicy } from '../../../src/exchange/ports/client-origin.ts';
import { blockOf, flatOf, headerValue, without } from '../../../src/http/header-block.ts';
import { readRequestFields } from '../../../src/http/request-fields.ts';
import { answerTrailers, relayedHead } from '../../../src/http/response-framing.ts';
import { type AnswerHead, readAnswerHead } from '../../../src/http/response-head.ts';

function head(rawHeaders: readonly string[], httpMinor = 1): RequestHead {
  const block = blockOf(['Host', 'gw', ...rawHeaders]);
  return {
    method: 'GET',
    target: '/',
    block,
    fields: readRequestFields(block),
    httpMinor,
    remoteAddress: '192.0.2.1',
    encrypted: false,
    certificateName: null,
    id: 'id-1',
    receivedAt: 0,
  };
}

/** What goes on, with these hops as our proxies. */
function onward(
  headers: readonly string[],
  trusts: ForwardingPolicy['trusts'],
  forwardedHeader: ForwardingPolicy['forwardedHeader'] = 'x-forwarded-for',
): string[] {
  const read = head(headers);
  return flatOf(forwardedHead(read, clientOrigin(read, { trusts, forwardedHeader })));
}

function forwarded(headers: readonly string[]): string[] {
  return onward(headers, () => false);
}

const names = (flat: readonly string[]): string[] => flat.filter((_, i) => i % 2 === 0);

/** Names that are looked at come up often among those that are not. */
const token = fc.oneof(
  fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,15}$/),
  fc.constantFrom(
    ...['Host', 'Content-Length', 'Connection', 'TE', 'Trailer', 'Upgrade', 'Expect', 'Proxy-Authorization'],
    ...['keep-alive', 'X-Forwarded-For', 'x-forwarded-port', 'Forwarded', 'X-Request-Id', 'Cookie', 'date'],
  ),
);
const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,18}[!-~])?)?$/);
const flat = fc.array(fc.tuple(token, value), { maxLength: 12 }).map((pairs) => pairs.flat());

const OURS = /^(?:x-forwarded-.*|forwarded|via|x-request-id|host|x-druid-gateway-view)$/;
const DROPPED =
  /^(?:connection|keep-alive|proxy-(?:connection|authorization|authenticate)|te|trailer|transfer-encoding|upgrade|http2-settings|expect|content-length)$/;

test('a repeated head goes on as if it were read anew, whatever the policy and the id', () => {
  const policies: readonly ForwardingPolicy[] = [
    { trusts: () => false, forwardedHeader: 'x-forwarded-for' },
    { trusts: () => true, forwardedHeader: 'x-forwarded-for' },
    { trusts: (_, hop) => hop < 2, forwardedHeader: 'forwarded' },
  ];
  const uses = fc.array(fc.tuple(fc.constantFrom(...policies), fc.string({ maxLength: 3 })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(flat, fc.constantFrom(0, 1), uses, (lines, minor, all) => {
      const read = head(lines, minor);
      const repeated: RepeatedHead = { policy: null, origin: null, sent: null };
      for (const [policy, id] of all) {
        const anew = { ...read, id };
        const again = { ...anew, repeated };
        const origin = clientOrigin(again, policy);
        expect(origin).toEqual(clientOrigin(anew, policy));
        expect(forwardedHead(again, origin)).toBe(forwardedHead(anew, origin));
      }
    }),
  );
});

test('a block and its names and values are the same thing', () => {
  fc.assert(
    fc.property(flat, token, (headers, name) => {
      expect(flatOf(blockOf(headers))).toEqual(headers);
      const at = names(headers).findIndex((one) => one.toLowerCase() === name.toLowerCase());
      const found = headerValue(blockOf(headers), name.toLowerCase());
      expect(found).toBe(at === -1 ? null : headers[2 * at + 1]);
      const kept = flatOf(without(blockOf(headers), new Set([name.toLowerCase()])));
      const left = headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== name.toLowerCase());
      expect(kept).toEqual(left);
    }),
  );
});

test('everything that is not of one hop goes on, in order, with its case and duplicates', () => {
  fc.assert(
    fc.property(flat, (headers) => {
      const sent: string[] = [];
      for (let i = 0; i < headers.length; i += 2) {
        const name = headers[i] ?? '';
        if (/^connection$/i.test(name)) return;
        if (!DROPPED.test(name.toLowerCase()) && (!OURS.test(name.toLowerCase()) || /^via$/i.test(name)))
          sent.push(name, headers[i + 1] ?? '');
      }
      const out = forwarded(headers);
      expect(out.slice(0, sent.length)).toEqual(sent);
      const ours = names(out.slice(sent.length)).filter((name) => name !== 'X-Forwarded-Host');
      expect(ours).toEqual(['X-Forwarded-For', 'X-Forwarded-Proto', 'Via', 'X-Request-Id']);
    }),
  );
});

test('no header of one hop and none named in Connection goes on, but none that matters can be named away', () => {
  fc.assert(
    fc.property(flat, token, (headers, named) => {
      const lower = named.toLowerCase();
      const out = names(
        forwarded([
          ...['Connection', `close, ${named}`],
          ...headers,
          ...[named, 'x', 'Authorization', 'a', 'Content-Type', 'b'],
          ...['Connection', 'Authorization, Content-Type, X-Forwarded-For, Host'],
        ]),
      ).map((name) => name.toLowerCase());
      for (const name of out) expect(name).not.toMatch(DROPPED);
      if (
        !OURS.test(lower) &&
        !/^(?:accept|content-|x-druid-|authorization|cookie|set-cookie|date|etag|location|www-auth|cache-c)/.test(
          lower,
        )
      ) {
        expect(out).not.toContain(lower);
      }
      expect(out).toEqual(
        expect.arrayContaining(['authorization', 'content-type', 'x-forwarded-for', 'via']),
      );
    }),
  );
});

test('one framing, one Host', () => {
  const fault = (...raw: string[]): string | null => requestFault(head(raw));
  expect(fault('Content-Length', '3')).toBeNull();
  expect(fault('Transfer-Encoding', 'Chunked')).toBeNull();
  expect(fault('Content-Length', '3', 'Transfer-Encoding', 'chunked')).not.toBeNull();
  expect(fault('Transfer-Encoding', 'chunked', 'Content-Length', '3')).not.toBeNull();
  expect(fault('Content-Length', '3', 'Content-Length', '3')).not.toBeNull();
  expect(fault('Content-Length', '-3')).not.toBeNull();
  expect(fault('Content-Length', '3, 3')).not.toBeNull();
  expect(fault('Transfer-Encoding', 'gzip, chunked')).not.toBeNull();
  expect(fault('Host', 'b')).not.toBeNull();
});

test('a name with an underscore that shadows one of ours is dropped, in any case, and no other one is', () => {
  const shadows = [
    ...['X_Forwarded_For', 'x-forwarded_for', 'X_FORWARDED-PROTO', 'X_Forwarded_Host', 'x_forwarded_port'],
    ...['X_Request_Id', 'Content_Length', 'Transfer_Encoding', 'Proxy_Authorization', 'Keep_Alive'],
    ...['X_Druid_Gateway_View', 'HTTP2_Settings'],
  ];
  for (const trusts of [() => true, () => false]) {
    const sent = shadows.flatMap((name) => [name, '10.0.0.1']);
    const kept = ['X_User', 'a', 'X_Forwarded', 'b', 'content_type', 'c', 'x_druid_author', 'd', '_', 'e'];
    const out = onward([...sent, ...kept], trusts);
    expect(out.slice(0, kept.length)).toEqual(kept);
    expect(names(out.slice(kept.length)).join()).toBe(
      'X-Forwarded-For,X-Forwarded-Proto,X-Forwarded-Host,Via,X-Request-Id',
    );
  }
});

test('what concerns this hop keeps a request from being an ordinary one', () => {
  const ordinary = (...raw: string[]): boolean => head(raw).fields.ordinary;
  expect(ordinary('Content-Length', '3', 'Connection', 'keep-alive', 'Cookie', 'a=b')).toBe(true);
  for (const name of ['Expect', 'TE', 'Trailer', 'Upgrade', 'Proxy-Connection', 'Transfer-Encoding']) {
    expect(ordinary(name, 'x')).toBe(false);
  }
  expect(ordinary('Connection', 'close, x')).toBe(false);
});

const context = { bodiless: false, httpMinor: 1, rewriteLocation: (location: string) => location };

function answer(flat: readonly string[], status = 200): AnswerHead {
  const read = readAnswerHead(status, 'OK', 1, blockOf(flat));
  if (read === null) throw new Error('malformed');
  return read;
}

test('an answer is framed for its client', () => {
  const chunked = answer(['Transfer-Encoding', 'chunked', 'Trailer', 'X-T']);
  expect(relayedHead(chunked, context)).toEqual({
    chunked: true,
    headers: 'Trailer: X-T\r\nTransfer-Encoding: chunked\r\n',
  });
  expect(relayedHead(chunked, { ...context, httpMinor: 0 }).headers).toBe('');
  expect(relayedHead(chunked, { ...context, bodiless: true }).headers).toBe('');
  const counted = answer(['Content-Length', '3', 'Trailer', 'X-T']);
  expect(relayedHead(counted, context)).toEqual({ chunked: false, headers: 'Content-Length: 3\r\n' });
  expect(relayedHead(answer(['Content-Length', '0'], 204), context).headers).toBe('');
  const dated = answer(['Date', 'a', 'date', 'b', 'Content-Length', '1']);
  expect(dated.hasDate).toBe(true);
  expect(relayedHead(dated, context).headers).toBe('Date: a\r\nContent-Length: 1\r\n');
  const moved = answer(['location', 'http://a:1/x', 'X-Location', 'http://a:1/x', 'Content-Length', '0']);
  expect(relayedHead(moved, { ...context, rewriteLocation: () => '/x' }).headers).toBe(
    'location: /x\r\nX-Location: http://a:1/x\r\nContent-Length: 0\r\n',
  );
});

test('headers of an answer go on in order, with their case and duplicates, less those of one hop', () => {
  fc.assert(
    fc.property(flat, (headers) => {
      const read = readAnswerHead(200, 'OK', 1, blockOf(headers));
      if (read === null) return;
      let dated = false;
      const kept = headers.filter((_, i) => {
        const name = headers[i - (i % 2)]?.toLowerCase() ?? '';
        if (name === 'date' && i % 2 === 0 && dated) return false;
        if (name === 'date' && i % 2 === 1) {
          const first = names(headers).findIndex((one) => one.toLowerCase() === 'date');
          dated = true;
          return first === (i - 1) / 2;
        }
        return !DROPPED.test(name) || name === 'expect' || name === 'content-length';
      });
      expect(flatOf(read.kept)).toEqual(kept.filter((one) => one !== undefined));
    }),
  );
});

test('an answer that can be framed in two ways is none', () => {
  const read = (...raw: string[]): AnswerHead | null => readAnswerHead(200, '', 1, blockOf(raw));
  expect(read('Content-Length', '3', 'Content-Length', '3')).toBeNull();
  expect(read('Content-Length', '3', 'Transfer-Encoding', 'chunked')).toBeNull();
  expect(read('Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked')).toBeNull();
  expect(read('Transfer-Encoding', 'gzip, chunked')).toBeNull();
  expect(read('Content-Length', '+3')).toBeNull();
  expect(readAnswerHead(200, '', 0, blockOf(['Transfer-Encoding', 'chunked']))).toBeNull();
});

test('a trailer cannot smuggle a framing or a control character', () => {
  const { trailers, incomplete } = answerTrailers(
    blockOf([
      ...['X-Error-Message', 'a\tb\0c'],
      ...['Content-Length', '1', 'Transfer-Encoding', 'chunked', 'Connection', 'x'],
    ]),
  );
  expect(trailers).toBe('X-Error-Message: a\tb c\r\n');
  expect(incomplete).toBe(true);
  expect(answerTrailers('X-Druid-Response-Complete:  TRUE \r\n').incomplete).toBe(false);
  expect(answerTrailers('X-Druid-Response-Complete: true\r\n').incomplete).toBe(false);
  expect(answerTrailers('X-Druid-Response-Complete: false\r\n').incomplete).toBe(true);
});
