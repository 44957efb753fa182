import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Writer } from 'protobufjs/minimal.js';
import { describe, expect, test } from 'vitest';
import { WholeBody } from '../../../src/http/body.ts';
import { connectionIdOf } from '../../../src/routing/jdbc/connection-id.ts';
import {
  cancelledId,
  cancelTarget,
  isQueryId,
  queryContextOf,
  toldId,
} from '../../../src/routing/query-context.ts';

const JSON_PATH = '/druid/v2/sql/avatica/';
const PROTOBUF_PATH = '/druid/v2/sql/avatica-protobuf/';
const NONE = Buffer.alloc(0);

describe('the connection of an Avatica request', () => {
  test.each<[string, object]>([
    ['at the top', { request: 'openConnection', connectionId: 'c-1', info: {} }],
    ['in the statement handle', { request: 'execute', statementHandle: { connectionId: 'c-1', id: 2 } }],
  ])('is %s of the JSON', (_, body) => {
    expect(connectionIdOf(JSON_PATH, Buffer.from(JSON.stringify(body, null, 2)), null)).toBe('c-1');
    expect(connectionIdOf(JSON_PATH, NONE, JSON.stringify(body))).toBe('c-1');
  });

  function wire(request: string, message: Uint8Array): Buffer {
    const name = `org.apache.calcite.avatica.proto.Requests$${request}`;
    return Buffer.from(Writer.create().uint32(10).string(name).uint32(18).bytes(message).finish());
  }
  const text = (field: number, value: string): Writer =>
    Writer.create()
      .uint32((field << 3) | 2)
      .string(value);

  test.each([
    ['OpenConnectionRequest', text(1, 'c-1').finish()],
    ['FetchRequest', Writer.create().uint32(16).uint32(7).uint32(10).string('c-1').finish()],
    ['SchemasRequest', text(1, 'catalog').uint32(26).string('c-1').finish()],
    ['TablesRequest', text(1, 'catalog').uint32(58).string('c-1').finish()],
    ['ColumnsRequest', text(1, 'catalog').uint32(42).string('c-1').finish()],
    ['ExecuteRequest', Writer.create().uint32(10).bytes(text(1, 'c-1').finish()).finish()],
  ])('is in the protobuf of %s', (request, message) => {
    expect(connectionIdOf(PROTOBUF_PATH, wire(request, message), null)).toBe('c-1');
  });

  test('of garbage is none', () => {
    for (const body of ['', '{', 'null', '[]', '{"connectionId":7}', '{"statementHandle":null}']) {
      expect(connectionIdOf(JSON_PATH, Buffer.from(body), null)).toBeNull();
    }
    expect(connectionIdOf(JSON_PATH, Buffer.from(`{"connectionId":"${'x'.repeat(300)}"}`), null)).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const path of [JSON_PATH, PROTOBUF_PATH]) connectionIdOf(path, Buffer.from(bytes), null);
      }),
    );
  });
});

describe('the ids of a query', () => {
  test('are in its context', () => {
    const factsOf = (text: string) => queryContextOf(WholeBody.ofBytes(Buffer.from(text)));
    const ids = (body: object): readonly string[] => factsOf(JSON.stringify(body)).ids;
    expect(ids({ query: 'SELECT 1', context: { sqlQueryId: 's', queryId: 'q' } })).toEqual(['q', 's']);
    expect(ids({ query: 'SELECT \'"queryId":1\'' })).toEqual([]);
    expect(ids({ context: { queryId: 7 } })).toEqual([]);
    expect(factsOf('{"context":{"queryId":').ids).toEqual([]);
    expect(factsOf('null "queryId"').ids).toEqual([]);
  });

  const NO_IDS = [
    ...['', '.', '..', '../../v1/x', 'a/./b', 'a\\..', '\ud800', 'a\udc00b', '\0', 'a\nb', '\x7f', '\x9b'],
    'x'.repeat(257),
    'x'.repeat(1_000_000),
  ];

  test.each(NO_IDS.map((id) => [id.slice(0, 20), id]))('are not %j', (_, id) => {
    expect(isQueryId(id)).toBe(false);
    const body = Buffer.from(JSON.stringify({ context: { queryId: id, sqlQueryId: 'good' } }));
    const ids = body.length > 256 * 1024 ? [] : ['good'];
    expect(queryContextOf(WholeBody.ofBytes(body)).ids).toEqual(ids);
    expect(queryContextOf(WholeBody.ofBytes(gzipSync(body))).ids).toEqual(ids);
    expect(cancelTarget('/druid/v2', id)).toBeNull();
    expect(cancelledId(`/druid/v2/${encodeURIComponent(id.toWellFormed())}`)).toBe(
      id.isWellFormed() ? null : id.toWellFormed(),
    );
  });

  test.each(['q', 'a b', 'a/b', '...', 'a..b', 'дашборд 7', '\u{1f600}', 'x'.repeat(256)])(
    'can be %j',
    (id) => {
      expect(isQueryId(id)).toBe(true);
      expect(cancelTarget('/druid/v2/sql', id)).toBe(`/druid/v2/sql/${encodeURIComponent(id)}`);
    },
  );

  test('are none where the body is not UTF-8, since nobody can tell what they were', () => {
    const body = Buffer.from('{"context":{"queryId":"caf\xe9","sqlQueryId":"s","timeout":5}}', 'latin1');
    expect(queryContextOf(WholeBody.ofBytes(body))).toMatchObject({
      queryId: null,
      sqlQueryId: 's',
      ids: ['s'],
      timeoutMs: 5,
    });
  });

  test.each(['a?', '??????? 7', 'a b', 'caf\xe9', '\x7f', '', '.', '..', 'a/../b'])(
    'are not in a header that says %j',
    (value) => expect(toldId(value)).toBeNull(),
  );

  test.each([
    [5_000, 5_000],
    ['5000', 5_000],
    [0, null],
    [-1, null],
    ['soon', null],
    [null, null],
  ])('with a timeout of %j are overdue after %j', (timeout, timeoutMs) => {
    expect(
      queryContextOf(WholeBody.ofBytes(Buffer.from(JSON.stringify({ context: { timeout } })))).timeoutMs,
    ).toBe(timeoutMs);
  });

  test.each([
    ['/druid/v2/sql', '/druid/v2/sql/a%2Fb'],
    ['/druid/v2/sql/?x', '/druid/v2/sql/a%2Fb'],
    ['/druid/v2?pretty', '/druid/v2/a%2Fb'],
    ['/druid/v2/sqlx', '/druid/v2/a%2Fb'],
    ['/druid/v2/sql/dart', '/druid/v2/sql/dart/a%2Fb'],
    ['/druid/v2/sql/dart?x', '/druid/v2/sql/dart/a%2Fb'],
    ['/druid/v2/sql/darts', '/druid/v2/sql/a%2Fb'],
  ])('that was sent to %s is cancelled at %s', (target, cancel) => {
    expect(cancelTarget(target, 'a/b')).toBe(cancel);
  });

  test.each([
    ['/druid/v2/abc', 'abc'],
    ['/druid/v2/sql/abc?x=1', 'abc'],
    ['/druid/v2/sql/a%20b/', 'a b'],
    ['/druid/v2/sql/a%2Fb', 'a/b'],
    ['/druid/v2/CORP%5Cq%3B1', 'CORP\\q;1'],
    ['/druid/v2/sql/dart/abc', 'abc'],
    ['/druid/v2/sql/%zz', null],
    ['/druid/v2/a/b/c', null],
  ])('are in the target %s of a cancel', (target, id) => {
    expect(cancelledId(target)).toBe(id);
  });
});
