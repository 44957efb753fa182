/**
 * Limits for reading the rest of a request's body after its answer. A client that is still sending must be able to
 * read the answer; closing the connection at once would destroy it (RFC 9112 9.6).
 */
export const LINGER_MS = 2_000;
export const LINGER_BYTES = 8 * 1024 * 1024;

/**
 * Up to this many bytes of later requests are read while one is answered. More is left unread for at most this long,
 * in milliseconds. After that the answer under way is the last one, and the rest is read and dropped: without
 * reading, we would not notice that the client leaves.
 */
export const AHEAD_BYTES = 256 * 1024;
export const AHEAD_MS = 5_000;
