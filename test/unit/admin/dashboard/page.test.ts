import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderPage } from '../../../../src/admin/dashboard/page.ts';
import type { State } from '../../../../src/admin/status.ts';

/** A page whose texts are all the given ones, as far as others choose them. */
function pageOf(name: string, why: string, other: string): string {
  const leader = {
    state: 'serving',
    node: name,
    term: 1,
    age: 1,
    knownBy: 'both',
    waitReason: null,
    rivals: [name, why],
    outstanding: 0,
  } as const;
  const state: State = {
    version: '1',
    uptime: 1,
    draining: false,
    complete: true,
    workers: [{ worker: 1, pid: 1, state: 'serving', uptime: 1, inFlight: 0, restarts: 0 }],
    leaders: { coordinator: leader, overlord: leader },
    brokers: [
      {
        node: name,
        service: other,
        ready: true,
        cordoned: false,
        ejected: false,
        why,
        share: 1,
        outstanding: 0,
        lastMinute: { attempts: 0, errors: 0, p50Ms: null, p99Ms: null },
        labels: { [name]: why, [why]: other },
      },
    ],
    cordoned: [name],
    discovery: { kind: 'zookeeper', state: 'connected', since: other, age: 1, detail: why },
  };
  const term = {
    role: 'overlord',
    node: name,
    term: 1,
    from: other,
    to: null,
    gapMs: 1,
    waited: 0,
    failed: 0,
    knownBy: 'both',
  } as const;
  const settings = [{ key: name, value: why, origin: other }];
  return renderPage({ state, terms: [term, term], settings, needsToken: true });
}

/** The tags of a page, without the values of attributes. */
const tagsOf = (page: string): string[] =>
  (page.match(/<[^>]*>/g) ?? []).map((tag) => tag.replaceAll(/"[^"]*"/g, '""'));

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</td></table><form action=//evil.example>',
  '</title><base href=//evil.example>',
  '<!--',
  '-->',
  ']]>',
  '&lt;script&gt;',
  '${alert(1)}',
  'javascript:alert(1)',
  '\0<\0script>',
  '\u2028<svg/onload=alert(1)>',
];

const TAGS = tagsOf(pageOf('a', 'b', 'c'));

test.each(HOSTILE)('%j makes no tag, wherever it stands', (text) => {
  expect(tagsOf(pageOf(text, text, text))).toEqual(TAGS);
});

test('no names, labels, reasons or settings change the tags of the page', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...HOSTILE), fc.string());
  fc.assert(
    fc.property(text, text, text, (name, why, other) => {
      expect(tagsOf(pageOf(name, why, other))).toEqual(TAGS);
    }),
  );
});

test('the page tells a person without JavaScript who leads and which Brokers are ready', () => {
  const page = pageOf('node-1:8081', 'a reason', 'a service');
  expect(page).toContain('Both leaders serve, 1 of 1 Brokers are ready.');
  expect(page).toContain('<meta http-equiv="refresh" content="5">');
  expect(page).toMatch(/<td role="cell" data-column="Node">node-1:8081<\/td>/);
  expect(page).toContain('<td role="cell" data-column="Why">a reason</td>');
});

test('each name that an element is given by another one is there, once', () => {
  const page = pageOf('a', 'b', 'c');
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const names = [...page.matchAll(/ (?:aria-labelledby|href)="#?([\w-]+)"/g)].map(([, id]) => id);
  expect(names.length).toBeGreaterThan(15);
  expect(ids).toEqual(expect.arrayContaining(names));
});

test('nothing of the page comes from elsewhere, and no script or style stands in it', () => {
  const page = pageOf('a', 'b', 'c');
  expect(page).not.toMatch(/(src|href|action)="(?!\/|#)/);
  expect(page).not.toMatch(/<script(?! type="module" src)|<style| style=| on\w+=/);
});
