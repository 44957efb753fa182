import fc from 'fast-check';
import { Writer } from 'protobufjs/minimal.js';
import { describe, expect, test } from 'vitest';
import { isMissingConnection, whereaboutsOf } from '../../../src/routing/jdbc/whereabouts.ts';

const JSON_PATH = '/druid/v2/sql/avatica/';
const PROTOBUF_PATH = '/druid/v2/sql/avatica-protobuf/';
const NONE = Buffer.alloc(0);

function wire(name: string, message: Uint8Array): Buffer {
  const whole = `org.apache.calcite.avatica.proto.${name}`;
  return Buffer.from(Writer.create().uint32(10).string(whole).uint32(18).bytes(message).finish());
}

describe('what an answer says about where the connection is', () => {
  test.each([
    ['openConnection', 'OpenConnectionRequest', 'tells'],
    ['fetch', 'FetchRequest', 'tells'],
    ['closeConnection', 'CloseConnectionRequest', 'closes'],
    ['closeStatement', 'CloseStatementRequest', 'closes'],
    ['databaseProperties', 'DatabasePropertyRequest', 'silent'],
    ['commit', 'CommitRequest', 'silent'],
    ['rollback', 'RollbackRequest', 'silent'],
  ])('depends on the request: %s and %s', (inJson, inProtobuf, expected) => {
    const body = JSON.stringify({ connectionId: 'c', request: inJson });
    expect(whereaboutsOf(JSON_PATH, Buffer.from(body), null)).toBe(expected);
    expect(whereaboutsOf(JSON_PATH, NONE, body)).toBe(expected);
    const message = Writer.create().uint32(10).string('c').finish();
    expect(whereaboutsOf(PROTOBUF_PATH, wire(`Requests$${inProtobuf}`, message), null)).toBe(expected);
  });
});

describe('an error', () => {
  const error = (errorCode: unknown, response = 'error'): Buffer =>
    Buffer.from(JSON.stringify({ response, exceptions: ['"errorCode":1'], errorMessage: null, errorCode }));
  const inProtobuf = (errorCode: number, name = 'ErrorResponse'): Buffer =>
    wire(
      `Responses$${name}`,
      Writer.create().uint32(10).string('at').uint32(32).uint32(errorCode).uint32(56).bool(true).finish(),
    );

  test('says that there is no such connection by its code alone', () => {
    expect(isMissingConnection(JSON_PATH, error(1))).toBe(true);
    for (const other of [-1, 2, 0, '1', null])
      expect(isMissingConnection(JSON_PATH, error(other))).toBe(false);
    expect(isMissingConnection(JSON_PATH, error(1, 'fetch'))).toBe(false);
    expect(isMissingConnection(PROTOBUF_PATH, inProtobuf(1))).toBe(true);
    // -1 as `uint32`.
    for (const other of [0, 2, 0xffffffff]) {
      expect(isMissingConnection(PROTOBUF_PATH, inProtobuf(other))).toBe(false);
    }
    expect(isMissingConnection(PROTOBUF_PATH, inProtobuf(1, 'FetchResponse'))).toBe(false);
  });

  test('that is anything else says nothing, and does not throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(Buffer.from)), (bytes) => {
        for (const path of [JSON_PATH, PROTOBUF_PATH]) {
          expect(isMissingConnection(path, Buffer.from(bytes))).toBe(false);
          whereaboutsOf(path, Buffer.from(bytes), null);
        }
      }),
    );
  });
});
