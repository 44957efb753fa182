import { readFileSync } from 'node:fs';
import type { Config, KubernetesSettings } from '../config/schema.ts';
import { codeOf } from '../config/yaml-source.ts';
import type { ApiTarget } from '../discovery/http-api.ts';
import type { KubernetesDiscoveryOptions } from '../discovery/kubernetes/discovery.ts';
import { formatHostPort } from '../net/host-port.ts';

/** Which cluster of Druid in Kubernetes, and how the API is reached. */
export type KubernetesTarget = Pick<
  KubernetesDiscoveryOptions,
  | 'server'
  | 'tokenFile'
  | 'caFile'
  | 'client'
  | 'clusterIdentifier'
  | 'namespace'
  | 'leaderNamespaces'
  | 'address'
>;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Kubernetes puts what a pod needs to ask its API ("Accessing the Kubernetes API from a Pod"). */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Completes the settings of `kubernetes` by what the pod is told. Throws an Error of one sentence if there is no pod, or
 * if it was given no service account.
 */
export function kubernetesTarget(
  { kubernetes }: Pick<Config, 'kubernetes'>,
  environment: Environment = process.env,
  account = ACCOUNT,
): KubernetesTarget {
  if (kubernetes === undefined) throw new Error('kubernetes.clusterIdentifier is missing');
  const { clusterIdentifier, address, coordinatorNamespace, overlordNamespace } = kubernetes;
  return {
    ...apiTarget(kubernetes, 'kubernetes', environment, account),
    clusterIdentifier,
    namespace: namespaceOf(kubernetes, 'kubernetes', `${account}/namespace`),
    leaderNamespaces: {
      ...(coordinatorNamespace === undefined ? {} : { coordinator: coordinatorNamespace }),
      ...(overlordNamespace === undefined ? {} : { overlord: overlordNamespace }),
    },
    address,
  };
}

/**
 * The same for `feeds.kubernetes`: how the API is reached, which may be told by the section `kubernetes`, and where the
 * Services are.
 */
export function kubernetesFeedTarget(
  { feeds, kubernetes }: Pick<Config, 'feeds' | 'kubernetes'>,
  environment: Environment = process.env,
  account = ACCOUNT,
): ApiTarget & { readonly namespace: string } {
  const feed = feeds.kubernetes;
  if (feed === undefined) throw new Error('feeds.kubernetes is missing');
  // A token belongs to a server.
  const settings = feed.server === undefined ? { ...kubernetes, ...feed } : feed;
  return {
    ...apiTarget(settings, 'feeds.kubernetes', environment, account),
    namespace: namespaceOf(feed, 'feeds.kubernetes', `${account}/namespace`),
  };
}

type ApiSettings = Pick<KubernetesSettings, 'server' | 'tokenFile' | 'caFile' | 'certFile' | 'keyFile'>;

function apiTarget(
  { server, tokenFile, caFile, certFile, keyFile }: Partial<ApiSettings>,
  section: string,
  environment: Environment,
  account: string,
): ApiTarget {
  const inside = server === undefined;
  return {
    server: server?.replace(/\/+$/, '') ?? serverOf(section, environment),
    tokenFile: tokenFile ?? (inside ? `${account}/token` : null),
    caFile: caFile ?? (inside ? `${account}/ca.crt` : null),
    ...(certFile === undefined || keyFile === undefined ? {} : { client: { certFile, keyFile } }),
  };
}

function serverOf(section: string, environment: Environment): string {
  const host = environment.KUBERNETES_SERVICE_HOST ?? '';
  const port = Number(environment.KUBERNETES_SERVICE_PORT ?? 443);
  if (host === '') {
    throw new Error(
      `${section}.server is missing: the gateway does not run in a pod (KUBERNETES_SERVICE_HOST is not set)`,
    );
  }
  return `https://${formatHostPort({ host, port })}`;
}

function namespaceOf(
  { namespace }: Pick<KubernetesSettings, 'namespace'>,
  section: string,
  file: string,
): string {
  if (namespace !== undefined) return namespace;
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Error(
      `${section}.namespace is missing, and ${file}, which would tell it, cannot be read (${codeOf(error)})`,
    );
  }
  if (text === '') throw new Error(`${section}.namespace is missing, and ${file} is empty`);
  return text;
}
