import { Writer } from 'protobufjs/minimal.js';

/** The `druid.service` of the tier that half of the queries of `tiers` name. */
export const HOT_SERVICE = 'druid/broker-hot';

const JDBC_CONNECTIONS = 64;

/**
 * A fetch of each of 64 JDBC connections, as Avatica's driver sends it: JSON by `Service.FetchRequest`, or a `WireMessage`
 * (avatica `common.proto`) around a `FetchRequest` (`requests.proto`).
 */
export function jdbcBodies(format: 'json' | 'protobuf'): readonly Buffer[] {
  return Array.from({ length: JDBC_CONNECTIONS }, (_, i) => {
    const connectionId = `6f1d2c3b-0000-4000-8000-${String(i).padStart(12, '0')}`;
    return format === 'json' ? jsonFetch(connectionId) : protobufFetch(connectionId);
  });
}

function jsonFetch(connectionId: string): Buffer {
  return Buffer.from(
    JSON.stringify({ request: 'fetch', connectionId, statementId: 1, offset: 0, fetchMaxRowCount: 100 }),
  );
}

function protobufFetch(connectionId: string): Buffer {
  const fetch = Writer.create()
    .uint32(0x0a)
    .string(connectionId)
    .uint32(0x10)
    .uint32(1)
    .uint32(0x20)
    .uint32(100);
  const message = Writer.create()
    .uint32(0x0a)
    .string('org.apache.calcite.avatica.proto.Requests$FetchRequest')
    .uint32(0x12)
    .bytes(fetch.finish());
  return Buffer.from(message.finish());
}

/** Two queries of this many bytes: one that names the tier `hot`, and one that names none. */
export function tierBodies(bytes: number): readonly Buffer[] {
  return [{ brokerService: HOT_SERVICE }, {}].map((context) => {
    const text = JSON.stringify({ query: 'SELECT 1', context: { ...context, filling: '' } });
    return Buffer.from(text.replace('"filling":"', `"filling":"${'x'.repeat(bytes - text.length)}`));
  });
}
