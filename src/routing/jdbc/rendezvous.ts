/**
 * The Router's hash for JDBC connections (`RendezvousHasher`). It picks the Broker with the largest
 * `murmur3_128(seed 0)(utf8(host:port) ++ utf8(key))`, comparing the first eight bytes as a signed number.
 */

const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const rotate = (value: bigint, by: bigint): bigint =>
  BigInt.asUintN(64, (value << by) | (value >> (64n - by)));
const times = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a * b);
const plus = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a + b);

function finish(value: bigint): bigint {
  let mixed = value ^ (value >> 33n);
  mixed = times(mixed, 0xff51afd7ed558ccdn);
  mixed ^= mixed >> 33n;
  mixed = times(mixed, 0xc4ceb9fe1a85ec53n);
  return mixed ^ (mixed >> 33n);
}

/** Returns the first half of MurmurHash3 x64 128 with seed 0, as a signed number. */
export function murmur3(data: Buffer): bigint {
  const blocks = data.length >> 4;
  let h1 = 0n;
  let h2 = 0n;
  for (let i = 0; i < blocks; i++) {
    h1 ^= times(rotate(times(data.readBigUInt64LE(i * 16), C1), 31n), C2);
    h1 = plus(times(plus(rotate(h1, 27n), h2), 5n), 0x52dce729n);
    h2 ^= times(rotate(times(data.readBigUInt64LE(i * 16 + 8), C2), 33n), C1);
    h2 = plus(times(plus(rotate(h2, 31n), h1), 5n), 0x38495ab5n);
  }
  const tail = Buffer.alloc(16);
  data.copy(tail, 0, blocks * 16);
  h2 ^= times(rotate(times(tail.readBigUInt64LE(8), C2), 33n), C1);
  h1 ^= times(rotate(times(tail.readBigUInt64LE(0), C1), 31n), C2);
  const length = BigInt(data.length);
  h1 ^= length;
  h2 ^= length;
  h1 = plus(h1, h2);
  h2 = plus(h2, h1);
  h1 = finish(h1);
  h2 = finish(h2);
  return BigInt.asIntN(64, plus(h1, h2));
}

/** Sorts the nodes (`host:port`) by preference for `key`; if one is gone, the next takes over. */
export function rendezvous(key: string, nodes: readonly string[]): string[] {
  return nodes
    .map((node) => ({ node, hash: murmur3(Buffer.from(node + key)) }))
    .toSorted((a, b) => (a.hash === b.hash ? 0 : a.hash < b.hash ? 1 : -1))
    .map(({ node }) => node);
}
