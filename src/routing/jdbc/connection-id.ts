import { type JsonFields, jsonFields, parsedField } from '../json-fields.ts';
import { fieldOf, wireMessage } from './wire-message.ts';

/** Ids are random and short; longer text is not accepted as one. */
const LONGEST = 256;
/** Longest JSON text of an id: each character may be written as six. */
const LONGEST_TEXT = 6 * LONGEST + 2;
const NOTHING = Buffer.alloc(0);

/**
 * Returns the JDBC connection id of an Avatica request, or null if it has none. In JSON the id is at the top level
 * or in `statementHandle`, in the body or in the header `request` (`AvaticaJsonHandler`); for protobuf see below.
 * Other content, such as the parameters of a batch, is skipped without parsing.
 */
export function connectionIdOf(path: string, body: Buffer, header: string | null): string | null {
  try {
    const id = isProtobuf(path)
      ? fromProtobuf(body)
      : fromJson(body.length > 0 ? body : Buffer.from(header ?? ''));
    return id !== null && id.length > 0 && id.length <= LONGEST ? id : null;
  } catch {
    // Druid will say what is wrong with the request.
    return null;
  }
}

/** Whether Avatica speaks protobuf at this path, and not JSON. */
export function isProtobuf(path: string): boolean {
  return path.startsWith('/druid/v2/sql/avatica-protobuf');
}

function fromJson(text: Buffer): string | null {
  const fields = jsonFields(text, ['connectionId', 'statementHandle']);
  return ownId(fields) ?? ownId(jsonFields(fields?.statementHandle ?? NOTHING, ['connectionId']));
}

function ownId(fields: JsonFields<'connectionId'> | null): string | null {
  const id = parsedField(fields?.connectionId, LONGEST_TEXT);
  return typeof id === 'string' ? id : null;
}

/** `connection_id` is field 1 of most requests (avatica `requests.proto`); these use another field. */
const ID_FIELDS: ReadonlyMap<string, number> = new Map([
  ['SchemasRequest', 3],
  ['TablesRequest', 7],
  ['ColumnsRequest', 5],
]);

function fromProtobuf(body: Buffer): string | null {
  const wire = wireMessage(body);
  if (wire === null) return null;
  const { name, message } = wire;
  if (name === 'ExecuteRequest') {
    const handle = fieldOf(message, 1);
    return handle === null ? null : (fieldOf(handle, 1)?.toString('utf8') ?? null);
  }
  return fieldOf(message, ID_FIELDS.get(name) ?? 1)?.toString('utf8') ?? null;
}
