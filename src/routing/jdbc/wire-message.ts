import { createRequire } from 'node:module';

// For the first request in protobuf. The build knows this form of `require`.
const require = createRequire(import.meta.url);

/** `WireMessage { string name = 1; bytes wrapped_message = 2; }` (avatica `common.proto`). */
export interface WireMessage {
  /** Without the names of package and outer class, such as `FetchRequest`. */
  readonly name: string;
  readonly message: Buffer;
}

/** Returns what is wrapped in `body`, or null if nothing is. Throws if `body` is not protobuf. */
export function wireMessage(body: Buffer): WireMessage | null {
  const name = fieldOf(body, 1)?.toString('utf8') ?? '';
  const message = fieldOf(body, 2);
  return message === null ? null : { name: name.slice(name.lastIndexOf('$') + 1), message };
}

/** Returns a length-delimited field of a message, or null. Throws if the message is not protobuf. */
export function fieldOf(message: Buffer, wanted: number): Buffer | null {
  const { Reader } = require('protobufjs/minimal.js') as typeof import('protobufjs/minimal.js');
  const reader = Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === wanted && (tag & 7) === 2) return Buffer.from(reader.bytes());
    reader.skipType(tag & 7);
  }
  return null;
}

/** Returns a `uint32` field of a message; 0 if it is absent, as in proto3. Throws if the message is not protobuf. */
export function numberOf(message: Buffer, wanted: number): number {
  const { Reader } = require('protobufjs/minimal.js') as typeof import('protobufjs/minimal.js');
  const reader = Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === wanted && (tag & 7) === 0) return reader.uint32();
    reader.skipType(tag & 7);
  }
  return 0;
}
