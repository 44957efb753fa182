import { jsonFields, parsedField } from '../json-fields.ts';
import { isProtobuf } from './connection-id.ts';
import { numberOf, wireMessage } from './wire-message.ts';

/**
 * What the answer to an Avatica request says about where its connection is (`DruidMeta`, seen on Druid 33). `tells`: a
 * Broker without the connection answers that it has none, and has done nothing. `closes`: every Broker answers 200, and
 * the one that has the connection closes something. `silent`: every Broker answers 200, and nothing changes.
 */
export type Whereabouts = 'tells' | 'closes' | 'silent';

/** By the name in JSON and the one in protobuf. */
const KINDS: ReadonlyMap<unknown, Whereabouts> = new Map([
  ['closeConnection', 'closes'],
  ['CloseConnectionRequest', 'closes'],
  ['closeStatement', 'closes'],
  ['CloseStatementRequest', 'closes'],
  ['databaseProperties', 'silent'],
  ['DatabasePropertyRequest', 'silent'],
  ['commit', 'silent'],
  ['CommitRequest', 'silent'],
  ['rollback', 'silent'],
  ['RollbackRequest', 'silent'],
]);

/** `MISSING_CONNECTION_ERROR_CODE`, by which the driver knows that it has to open the connection again. */
const MISSING_CONNECTION = 1;
/** Longest text of a value that is looked at. */
const LONGEST = 64;

/** Reads it of a request; `path`, `body` and `header` as for `connectionIdOf`. Never throws. */
export function whereaboutsOf(path: string, body: Buffer, header: string | null): Whereabouts {
  return KINDS.get(nameOf(path, body.length > 0 ? body : Buffer.from(header ?? ''))) ?? 'tells';
}

function nameOf(path: string, body: Buffer): unknown {
  try {
    if (isProtobuf(path)) return wireMessage(body)?.name;
    return parsedField(jsonFields(body, ['request'])?.request, LONGEST);
  } catch {
    return undefined;
  }
}

/**
 * Whether a Broker's error answer to a request for `path` says that it does not have the connection: `errorCode` of
 * `ErrorResponse`, in protobuf field 4 (avatica `responses.proto`). Never throws.
 */
export function isMissingConnection(path: string, body: Buffer): boolean {
  try {
    if (isProtobuf(path)) {
      const wire = wireMessage(body);
      return wire?.name === 'ErrorResponse' && numberOf(wire.message, 4) === MISSING_CONNECTION;
    }
    const fields = jsonFields(body, ['response', 'errorCode']);
    if (parsedField(fields?.response, LONGEST) !== 'error') return false;
    return parsedField(fields?.errorCode, LONGEST) === MISSING_CONNECTION;
  } catch {
    return false;
  }
}
