import type { StoreProblem } from './store-facts.ts';

/** An error that stands for a problem already put in words. */
export class StoreUnreachable extends Error {
  readonly problem: StoreProblem;

  constructor(problem: StoreProblem) {
    super(problem.text);
    this.problem = problem;
  }
}

const LOGIN: StoreProblem = { kind: 'login', text: 'refuses the user or the password' };
const FULL: StoreProblem = { kind: 'full', text: 'has no connection left' };
const DATABASE: StoreProblem = {
  kind: 'database',
  text: 'has no such database, or does not let this user in',
};

/** SQLSTATE of PostgreSQL (Appendix A, "PostgreSQL Error Codes"), names of MySQL's errors, codes of the system. */
const PROBLEMS: Readonly<Record<string, StoreProblem>> = {
  '28P01': LOGIN,
  '28000': {
    kind: 'login',
    text: 'refuses this address, the user, or a connection without TLS (pg_hba.conf)',
  },
  '3D000': { kind: 'database', text: 'has no such database' },
  '42501': DATABASE,
  '53300': FULL,
  '57P03': { kind: 'starting', text: 'starts, ends, or takes no connections as a standby (hot_standby)' },
  '57P01': { kind: 'starting', text: 'ended the connection: it is shutting down' },
  '57014': { kind: 'silent', text: 'did not answer a query in time' },
  ER_ACCESS_DENIED_ERROR: LOGIN,
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: LOGIN,
  ER_NOT_SUPPORTED_AUTH_MODE: LOGIN,
  AUTH_SWITCH_PLUGIN_ERROR: LOGIN,
  ER_MUST_CHANGE_PASSWORD_LOGIN: LOGIN,
  ER_ACCOUNT_HAS_BEEN_LOCKED: LOGIN,
  ER_DBACCESS_DENIED_ERROR: DATABASE,
  ER_BAD_DB_ERROR: { kind: 'database', text: 'has no such database' },
  ER_CON_COUNT_ERROR: FULL,
  ER_TOO_MANY_USER_CONNECTIONS: FULL,
  ER_USER_LIMIT_REACHED: FULL,
  ER_HOST_NOT_PRIVILEGED: { kind: 'login', text: 'refuses this address' },
  ER_HOST_IS_BLOCKED: { kind: 'login', text: 'has blocked this address after too many errors (FLUSH HOSTS)' },
  ER_SERVER_SHUTDOWN: { kind: 'starting', text: 'is shutting down' },
  ER_SECURE_TRANSPORT_REQUIRED: { kind: 'tls', text: 'wants TLS' },
  HANDSHAKE_NO_SSL_SUPPORT: { kind: 'tls', text: 'has no TLS, which the URL wants' },
  HANDSHAKE_SSL_ERROR: { kind: 'tls', text: 'fails at TLS' },
  EPROTO: { kind: 'tls', text: 'fails at TLS' },
  ECONNREFUSED: { kind: 'unreachable', text: 'refuses connections: nothing listens there' },
  ECONNRESET: { kind: 'unreachable', text: 'ended the connection' },
  EPIPE: { kind: 'unreachable', text: 'ended the connection' },
  PROTOCOL_CONNECTION_LOST: { kind: 'unreachable', text: 'ended the connection' },
  ENOTFOUND: { kind: 'unreachable', text: 'its name is not known here' },
  EAI_AGAIN: { kind: 'unreachable', text: 'its name is not known here' },
  EHOSTUNREACH: { kind: 'unreachable', text: 'there is no way to its address' },
  ENETUNREACH: { kind: 'unreachable', text: 'there is no way to its address' },
  ETIMEDOUT: { kind: 'silent', text: 'does not answer' },
  PROTOCOL_SEQUENCE_TIMEOUT: { kind: 'silent', text: 'did not answer a query in time' },
};
/** What `pg` says without a code. */
const MESSAGES: readonly (readonly [RegExp, StoreProblem])[] = [
  [/does not support SSL/, { kind: 'tls', text: 'has no TLS, which the URL wants' }],
  [/timeout/i, { kind: 'silent', text: 'does not answer' }],
  [/terminated|closed|ended/i, { kind: 'unreachable', text: 'ended the connection' }],
  [/SASL|password|authentication/i, { kind: 'login', text: 'wants a password, or another kind of one' }],
];
/** How OpenSSL's verdicts look: `SELF_SIGNED_CERT_IN_CHAIN`, `CERT_HAS_EXPIRED`, `ERR_TLS_CERT_ALTNAME_INVALID`. */
const CERTIFICATE = /CERT|ISSUER|SIGNATURE|^ERR_(?:TLS|SSL|OSSL)/;
const OWN_CODE = /^[A-Z\d_]{2,60}$/;

/** Puts an error of a driver in words that hold nothing of a server's text, a user or a password. */
export function problemOf(error: unknown): StoreProblem {
  if (error instanceof StoreUnreachable) return error.problem;
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly code?: unknown;
    readonly message?: unknown;
  };
  const name = typeof code === 'string' && OWN_CODE.test(code) ? code : '';
  const known = Object.hasOwn(PROBLEMS, name) ? PROBLEMS[name] : undefined;
  if (known !== undefined) return known;
  if (CERTIFICATE.test(name)) return { kind: 'tls', text: `has a certificate that is not trusted (${name})` };
  const said = String(message);
  const bySentence = MESSAGES.find(([sentence]) => sentence.test(said))?.[1];
  if (bySentence !== undefined) return bySentence;
  return {
    kind: 'other',
    text: name === '' ? 'does not answer as such a server does' : `answers with error ${name}`,
  };
}
