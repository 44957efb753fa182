import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { dangerousSettings } from '../../../src/config/dangerous-settings.ts';
import { loadConfig, loadWithOrigins } from '../../../src/config/load.ts';
import { consulTarget } from '../../../src/gateway/create-discovery.ts';
import { kubernetesFeedTarget, kubernetesTarget } from '../../../src/gateway/kubernetes-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-kubernetes-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const K8S = { DRUID_GATEWAY__DISCOVERY__TYPE: 'kubernetes' };
const CLUSTER = { DRUID_GATEWAY__KUBERNETES__CLUSTER_IDENTIFIER: 'druid-prod' };

function file(text: string, name: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('needs the identifier of a cluster', () => {
  expect(() => loadConfig({ environment: K8S })).toThrow('kubernetes.clusterIdentifier is missing');
});

test('requests wait by default for as long as elections take there, and what is given wins', () => {
  const { config, settings } = loadWithOrigins({ environment: { ...K8S, ...CLUSTER } });
  expect(config.parking.maxWait).toBe(90_000);
  expect(settings.find(({ key }) => key === 'parking.maxWait')?.origin).toBe('derived from discovery.type');
  const given = { ...K8S, ...CLUSTER, DRUID_GATEWAY__PARKING__MAX_WAIT: '5s' };
  expect(loadConfig({ environment: given }).parking.maxWait).toBe(5_000);
  expect(loadConfig({}).parking.maxWait).toBe(40_000);
});

test('Druid’s own properties say so', () => {
  const text = [
    'druid.zk.service.enabled=false',
    'druid.discovery.type=k8s',
    'druid.discovery.k8s.clusterIdentifier=druid-prod',
    'druid.discovery.k8s.overlordLeaderElectionConfigMapNamespace=masters',
  ].join('\n');
  const config = loadConfig({ druidProperties: file(text, 'k8s.properties') });
  expect([config.discovery.type, config.kubernetes, config.parking.maxWait]).toMatchObject([
    'kubernetes',
    { clusterIdentifier: 'druid-prod', overlordNamespace: 'masters', address: 'announced' },
    90_000,
  ]);
  const flagged = loadConfig({
    druidProperties: file(text, 'k8s.properties'),
    flags: { zookeeper: 'zk:2181' },
  });
  expect(flagged.discovery.type).toBe('zookeeper');
});

test.each(['Druid', 'd', '-druid', 'druid_prod', 'x'.repeat(64)])('%s is no identifier', (text) => {
  const environment = { ...K8S, DRUID_GATEWAY__KUBERNETES__CLUSTER_IDENTIFIER: text };
  expect(() => loadConfig({ environment })).toThrow('kubernetes.clusterIdentifier');
});

test('a server by plain HTTP is dangerous, except on this machine', () => {
  const ids = (server: string): string[] =>
    dangerousSettings(
      loadConfig({ environment: { ...K8S, ...CLUSTER, DRUID_GATEWAY__KUBERNETES__SERVER: server } }),
    ).map(({ id }) => id);
  expect(ids('http://10.0.0.1:8001')).toEqual(['kubernetes_in_clear']);
  expect([ids('http://127.0.0.1:8001'), ids('https://10.0.0.1:6443')]).toEqual([[], []]);
});

describe('the API', () => {
  const config = (more: Readonly<Record<string, string>> = {}) =>
    loadConfig({ environment: { ...K8S, ...CLUSTER, ...more } });

  test('is found by what a pod is told', () => {
    file('druid\n', 'namespace');
    const pod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
    expect(kubernetesTarget(config(), pod, folder)).toEqual({
      server: 'https://[fd00::1]:6443',
      tokenFile: `${folder}/token`,
      caFile: `${folder}/ca.crt`,
      clusterIdentifier: 'druid-prod',
      namespace: 'druid',
      leaderNamespaces: {},
      address: 'announced',
    });
  });

  test('is asked without a token where another server is named, unless one is given', () => {
    const named = config({
      DRUID_GATEWAY__KUBERNETES__SERVER: 'https://api.example.com/k8s/',
      DRUID_GATEWAY__KUBERNETES__NAMESPACE: 'd',
    });
    expect(kubernetesTarget(named, {}, folder)).toMatchObject({
      server: 'https://api.example.com/k8s',
      tokenFile: null,
      caFile: null,
      namespace: 'd',
    });
  });

  test('cannot be found outside of a pod, nor the namespace', () => {
    expect(() => kubernetesTarget(config(), {}, folder)).toThrow('the gateway does not run in a pod');
    const pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    expect(() => kubernetesTarget(config(), pod, join(folder, 'nowhere'))).toThrow(
      'kubernetes.namespace is missing',
    );
  });

  test('is the same for EndpointSlices, unless they have a server of their own', () => {
    file('gateways\n', 'namespace');
    const feed = { DRUID_GATEWAY__FEEDS__KUBERNETES__SERVICES__OVERLORD: 'o' };
    const pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    const alone = loadConfig({ environment: feed });
    expect(kubernetesFeedTarget(alone, pod, folder)).toEqual({
      server: 'https://10.0.0.1:443',
      tokenFile: `${folder}/token`,
      caFile: `${folder}/ca.crt`,
      namespace: 'gateways',
    });
    expect(() => kubernetesFeedTarget(alone, {}, folder)).toThrow('feeds.kubernetes.server is missing');
    expect(() => kubernetesFeedTarget(alone, pod, join(folder, 'nowhere'))).toThrow(
      'feeds.kubernetes.namespace is missing',
    );
    const far = {
      ...feed,
      DRUID_GATEWAY__KUBERNETES__SERVER: 'https://api.example.com',
      DRUID_GATEWAY__KUBERNETES__TOKEN_FILE: '/a/token',
    };
    expect(kubernetesFeedTarget(config(far), {}, folder)).toMatchObject({
      server: 'https://api.example.com',
      tokenFile: '/a/token',
      caFile: null,
      namespace: 'gateways',
    });
    // A token belongs to a server.
    const other = config({ ...far, DRUID_GATEWAY__FEEDS__KUBERNETES__SERVER: 'http://10.9.9.9:8001/' });
    expect(kubernetesFeedTarget(other, {}, folder)).toMatchObject({
      server: 'http://10.9.9.9:8001',
      tokenFile: null,
    });
    expect(dangerousSettings(other).map(({ id }) => id)).toEqual(['kubernetes_feed_in_clear']);
  });
});

describe('Consul', () => {
  const PREFIX = {
    DRUID_GATEWAY__DISCOVERY__TYPE: 'consul',
    DRUID_GATEWAY__CONSUL__SERVICE_PREFIX: 'druid-prod',
  };

  test('needs a prefix of services, and has requests wait for as long as a session lives', () => {
    expect(() => loadConfig({ environment: { DRUID_GATEWAY__DISCOVERY__TYPE: 'consul' } })).toThrow(
      'consul.servicePrefix is missing',
    );
    expect(loadConfig({ environment: PREFIX })).toMatchObject({
      consul: { server: 'http://127.0.0.1:8500', coordinatorKey: 'druid/leader/coordinator' },
      parking: { maxWait: 110_000 },
    });
  });

  test('is named by Druid’s own properties', () => {
    const text = [
      'druid.discovery.type=consul',
      'druid.discovery.consul.service.servicePrefix=druid-prod',
      'druid.discovery.consul.service.datacenter=dc2',
      'druid.discovery.consul.leader.overlordLeaderLockPath=druid-prod/leader/overlord',
    ].join('\n');
    expect(loadConfig({ druidProperties: file(text, 'consul.properties') })).toMatchObject({
      discovery: { type: 'consul' },
      consul: { servicePrefix: 'druid-prod', datacenter: 'dc2', overlordKey: 'druid-prod/leader/overlord' },
    });
  });

  test.each(['/druid', 'druid/../secrets', 'druid prod', ''])('%j is no prefix', (text) => {
    const environment = { ...PREFIX, DRUID_GATEWAY__CONSUL__SERVICE_PREFIX: text };
    expect(() => loadConfig({ environment })).toThrow('consul.servicePrefix');
  });

  test('by plain HTTP on another machine is dangerous', () => {
    const environment = { ...PREFIX, DRUID_GATEWAY__CONSUL__SERVER: 'http://consul:8500' };
    expect(dangerousSettings(loadConfig({ environment })).map(({ id }) => id)).toEqual(['consul_in_clear']);
    expect(dangerousSettings(loadConfig({ environment: PREFIX }))).toEqual([]);
  });
});

describe('further sources', () => {
  const zookeeper = { DRUID_GATEWAY__DISCOVERY__FALLBACK: 'static,consul' };

  test('need their sections, and are not the first one again', () => {
    expect(() => loadConfig({ environment: zookeeper })).toThrow('names static, but static names no node');
    expect(() => loadConfig({ environment: zookeeper })).toThrow(
      'names consul, but consul.servicePrefix is missing',
    );
    const twice = { DRUID_GATEWAY__DISCOVERY__FALLBACK: 'zookeeper' };
    expect(() => loadConfig({ environment: twice })).toThrow(
      'names zookeeper, which is discovery.type already',
    );
  });

  test('are in the order that is given, and as dangerous as the first', () => {
    const config = loadConfig({
      environment: {
        ...zookeeper,
        DRUID_GATEWAY__CONSUL__SERVICE_PREFIX: 'druid',
        DRUID_GATEWAY__CONSUL__SERVER: 'http://consul:8500',
        DRUID_GATEWAY__STATIC__BROKERS: 'http://b:8082',
      },
    });
    expect(config.discovery.fallback).toEqual(['static', 'consul']);
    expect(dangerousSettings(config).map(({ id }) => id)).toEqual(['consul_in_clear']);
  });
});

describe('a client certificate', () => {
  const consul = { DRUID_GATEWAY__DISCOVERY__TYPE: 'consul', DRUID_GATEWAY__CONSUL__SERVICE_PREFIX: 'druid' };
  const pair = { certFile: '/tls/a.pem', keyFile: '/tls/b.pem' };

  test('is certificate and key, for the Kubernetes API and for Consul', () => {
    const given = (section: string) => ({
      [`DRUID_GATEWAY__${section}__CERT_FILE`]: pair.certFile,
      [`DRUID_GATEWAY__${section}__KEY_FILE`]: pair.keyFile,
    });
    const server = {
      DRUID_GATEWAY__KUBERNETES__SERVER: 'https://10.0.0.1:6443',
      DRUID_GATEWAY__KUBERNETES__NAMESPACE: 'druid',
    };
    const inKubernetes = loadConfig({
      environment: { ...K8S, ...CLUSTER, ...server, ...given('KUBERNETES') },
    });
    expect(kubernetesTarget(inKubernetes, {}).client).toEqual(pair);
    expect(consulTarget(loadConfig({ environment: { ...consul, ...given('CONSUL') } })).client).toEqual(pair);
    expect(consulTarget(loadConfig({ environment: consul })).client).toBeUndefined();
  });

  test.each([
    ['KUBERNETES__CERT_FILE', 'kubernetes.certFile: certFile and keyFile come together'],
    ['CONSUL__KEY_FILE', 'consul.keyFile: certFile and keyFile come together'],
  ])('is not %s alone', (name, problem) => {
    const environment = { ...K8S, ...CLUSTER, ...consul, [`DRUID_GATEWAY__${name}`]: 'a.pem' };
    expect(() => loadConfig({ environment })).toThrow(problem);
  });
});
