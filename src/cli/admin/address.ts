import { readFileSync } from 'node:fs';
import type { PeerCertificate } from 'node:tls';
import { fromHere, type HostPort, parseHostPort } from '../../net/host-port.ts';
import { parseOrigin } from '../../net/origin.ts';
import { type Given, UsageError } from '../command.ts';

/** Where an admin listener is, and what shows who asks. */
export interface AdminAddress {
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly origin: string;
  /**
   * Returns the token for actions, or null. Only actions need it, and only who may act can read its file. Throws an
   * Error of one sentence if the file cannot be read.
   */
  readonly token: () => string | null;
  readonly tls: AdminTls;
}

export interface AdminTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly allowPartialTrustChain?: true;
  /** Replaces the check of the certificate's name. */
  readonly checkServerIdentity?: (host: string, shown: PeerCertificate) => Error | undefined;
}

/** The default of `admin.listen`. The configuration's schema is large; a test compares the two. */
export const DEFAULT_ORIGIN = 'http://127.0.0.1:9888';
export const TOKEN_VARIABLE = 'DRUID_GATEWAY_TOKEN';
/** Variables that set something of the admin listener begin so. */
const SETTING = 'DRUID_GATEWAY__ADMIN';
const LISTEN = `${SETTING}__LISTEN`;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds the admin listener: `--admin`, else what the configuration says, else the default. `forHealth` prefers the
 * listener for health, if the configuration has one. Throws `UsageError`, or `ConfigError` for a wrong configuration.
 */
export async function adminAddress(
  { sources, options }: Given,
  environment: Environment,
  forHealth = false,
): Promise<AdminAddress> {
  const told = sources.flags.admin;
  const configured = told === undefined ? await configuredAddress(sources, environment, forHealth) : null;
  const origin = told === undefined ? (configured?.origin ?? DEFAULT_ORIGIN) : originOf(told);
  const files = { ca: option(options.ca), cert: option(options.cert), key: option(options.key) };
  if ((files.cert === undefined) !== (files.key === undefined)) {
    throw new UsageError('--cert and --key come together');
  }
  const given = Object.entries(files).flatMap(([name, file]) =>
    file === undefined ? [] : [[name, read(file)] as const],
  );
  // An authority that is named replaces the certificate that the configuration names.
  const pinned = files.ca === undefined ? configured?.tls : {};
  return {
    origin,
    token: () => tokenOf(option(options.tokenFile) ?? null, environment) ?? configured?.token() ?? null,
    tls: { ...pinned, ...Object.fromEntries(given) },
  };
}

/** What the configuration says of the listener; null if it says nothing. */
async function configuredAddress(
  sources: Given['sources'],
  environment: Environment,
  forHealth: boolean,
): Promise<AdminAddress | null> {
  const isFile = sources.file !== undefined || sources.druidProperties !== undefined;
  const settings = Object.keys(environment).filter((name) => name.toUpperCase().startsWith(SETTING));
  if (!isFile && settings.length === 0) return null;
  // Health checks of containers come every few seconds, and the configuration takes ten times as long to load.
  const listen = settings.join() === LISTEN ? parseHostPort(environment[LISTEN] ?? '') : null;
  if (!isFile && listen !== null) return { origin: reachable('http', listen), token: () => null, tls: {} };
  return fromConfig(sources, environment, forHealth);
}

async function fromConfig(
  sources: Given['sources'],
  environment: Environment,
  forHealth: boolean,
): Promise<AdminAddress> {
  const { loadConfig } = await import('../../config/load.ts');
  const { listen, tls, tokenFile, health } = loadConfig({ ...sources, environment }).admin;
  if (forHealth && health !== undefined) {
    return { origin: reachable('http', health.listen), token: () => null, tls: {} };
  }
  return {
    origin: reachable(tls === undefined ? 'http' : 'https', listen),
    token: () => (tokenFile === undefined ? null : read(tokenFile).trim()),
    tls: tls === undefined ? {} : pin(read(tls.certFile)),
  };
}

/** Trusts this very certificate, by whichever name it is called. */
function pin(pem: string): AdminTls {
  const own = /-----BEGIN CERTIFICATE-----([^-]+)/.exec(pem)?.[1]?.replaceAll(/\s/g, '');
  return {
    ca: pem,
    // Otherwise OpenSSL wants the authority of a certificate, although it is trusted itself.
    allowPartialTrustChain: true,
    checkServerIdentity: (_, { raw }) =>
      raw.toString('base64') === own ? undefined : new Error('it is not the certificate of admin.tls'),
  };
}

function reachable(scheme: string, listen: HostPort): string {
  if (listen.port === 0)
    throw new UsageError('the configuration lets the system choose the port; give --admin URL');
  return `${scheme}://${fromHere(listen)}`;
}

function originOf(told: string): string {
  const origin = parseOrigin(/^https?:/i.test(told) ? told : `http://${told}`);
  if (origin === null) {
    throw new UsageError('--admin: expected the URL of an admin listener such as http://127.0.0.1:9888');
  }
  return origin;
}

function tokenOf(file: string | null, environment: Environment): string | null {
  const token = file === null ? environment[TOKEN_VARIABLE] : read(file);
  return token === undefined || token.trim() === '' ? null : token.trim();
}

function option(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Throws an Error of one sentence if the file cannot be read. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
}
