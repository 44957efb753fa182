import type { Config } from '../config/schema.ts';
import { createOriginRefusal } from '../discovery/allowed-origins.ts';
import type { SourceKind } from '../discovery/discovery.ts';
import { prepareTls } from '../discovery/zookeeper/tls.ts';
import type { Report } from '../doctor/examine.ts';
import type { GatewaySource } from '../doctor/gather.ts';
import type { SourceTarget } from '../doctor/source-facts.ts';
import type { StoreTarget } from '../doctor/store/store-target.ts';
import type { ZooKeeperTarget } from '../doctor/zookeeper-facts.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { parseConnectString } from '../net/connect-string.ts';
import { readNodeTls } from './client-tls.ts';
import { consulTarget, dnsTarget } from './create-discovery.ts';
import { kubernetesTarget } from './kubernetes-target.ts';
import { zookeeperTls } from './tls-files.ts';

export interface DiagnoseOptions {
  readonly errors: InternalErrors;
  readonly gateway: GatewaySource;
  /** For what Druid guards; by default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the leaders are watched, in ms; by default not at all. */
  readonly watchMs?: number;
  /** The metadata store, to be asked itself; by default it is not. */
  readonly store?: StoreTarget | null;
  /** Ids of checks that are not run. */
  readonly skipped?: ReadonlySet<string>;
}

/** Examines what a configuration names, from here. Resolves within 20 s and `watchMs`. */
export type Diagnose = (options: DiagnoseOptions) => Promise<Report>;

/**
 * Creates the examination of a configuration, and reads its files. Throws an Error of one sentence if a configured file
 * is unusable.
 */
export function createDiagnose(config: Config): Diagnose {
  const tls = readNodeTls(config).options;
  const { type, fallback } = config.discovery;
  const kinds = [type, ...fallback];
  const target = kinds.includes('zookeeper') ? zookeeperTarget(config) : null;
  const sources = kinds.map((kind) => sourceOf(kind, config));
  return async ({ errors, gateway, headers = {}, watchMs = 0, store = null, skipped }) => {
    // A gateway that nobody examines need not have loaded what examines it.
    const [{ examine }, { gatherFacts }] = await Promise.all([
      import('../doctor/examine.ts'),
      import('../doctor/gather.ts'),
    ]);
    const facts = await gatherFacts({
      config,
      zookeeper: target === null ? null : { ...target, errors },
      sources: sources.flatMap((source) => source(errors) ?? []),
      headers,
      watchMs,
      gateway,
      store,
      ...tls,
    });
    return examine(facts, skipped, (error) => errors.report('admin', error));
  };
}

function sourceOf(type: SourceKind, config: Config): (errors: InternalErrors) => SourceTarget | null {
  const refusal = createOriginRefusal(config.discovery.allow);
  if (type === 'kubernetes') {
    const target = { ...kubernetesTarget(config), refusal };
    return (errors) => ({ kind: type, options: { ...target, errors } });
  }
  if (type === 'consul') {
    const target = { ...consulTarget(config), refusal };
    return (errors) => ({ kind: type, options: { ...target, errors } });
  }
  if (type === 'dns') {
    const target = { ...dnsTarget(config), refusal };
    return (errors) => ({ kind: type, options: { ...target, errors } });
  }
  return () => null;
}

function zookeeperTarget({ zookeeper, discovery }: Config): Omit<ZooKeeperTarget, 'errors'> {
  const { connect, sessionTimeout, basePath, coordinatorPath, auth, tls } = zookeeper;
  return {
    ...parseConnectString(connect),
    sessionTimeoutMs: sessionTimeout,
    basePath,
    coordinatorPath,
    credentials:
      auth?.password === undefined ? null : { scheme: auth.scheme, user: auth.user, password: auth.password },
    tls: tls === undefined ? null : prepareTls(zookeeperTls(tls)),
    refusal: createOriginRefusal(discovery.allow),
  };
}
