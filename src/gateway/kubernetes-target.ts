import { readFileSync } from 'node:fs';
import type { Config, KubernetesSettings } from '../config/schema.ts';
import { codeOf } from '../config/yaml-source.ts';
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

/** Where Kubernetes puts what a pod needs to ask its API ("Accessing the Kubernetes API from a Pod"). */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Completes the settings of `kubernetes` by what the pod is told. Throws an Error of one sentence if there is no pod, or
 * if it was given no service account.
 */
export function kubernetesTarget(
  { kubernetes }: Pick<Config, 'kubernetes'>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  account = ACCOUNT,
): KubernetesTarget {
  if (kubernetes === undefined) throw new Error('kubernetes.clusterIdentifier is missing');
  const { clusterIdentifier, address, coordinatorNamespace, overlordNamespace } = kubernetes;
  const { certFile, keyFile } = kubernetes;
  const inside = kubernetes.server === undefined;
  return {
    server: kubernetes.server?.replace(/\/+$/, '') ?? serverOf(environment),
    tokenFile: kubernetes.tokenFile ?? (inside ? `${account}/token` : null),
    caFile: kubernetes.caFile ?? (inside ? `${account}/ca.crt` : null),
    clusterIdentifier,
    namespace: namespaceOf(kubernetes, `${account}/namespace`),
    leaderNamespaces: {
      ...(coordinatorNamespace === undefined ? {} : { coordinator: coordinatorNamespace }),
      ...(overlordNamespace === undefined ? {} : { overlord: overlordNamespace }),
    },
    address,
    ...(certFile === undefined || keyFile === undefined ? {} : { client: { certFile, keyFile } }),
  };
}

function serverOf(environment: Readonly<Record<string, string | undefined>>): string {
  const host = environment.KUBERNETES_SERVICE_HOST ?? '';
  const port = Number(environment.KUBERNETES_SERVICE_PORT ?? 443);
  if (host === '') {
    throw new Error(
      'kubernetes.server is missing: the gateway does not run in a pod (KUBERNETES_SERVICE_HOST is not set)',
    );
  }
  return `https://${formatHostPort({ host, port })}`;
}

function namespaceOf({ namespace }: KubernetesSettings, file: string): string {
  if (namespace !== undefined) return namespace;
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Error(
      `kubernetes.namespace is missing, and ${file}, which would tell it, cannot be read (${codeOf(error)})`,
    );
  }
  if (text === '') throw new Error(`kubernetes.namespace is missing, and ${file} is empty`);
  return text;
}
