import { Type } from 'typebox';
import { networks } from './client-schema.ts';
import {
  choice,
  choices,
  clientTls,
  duration,
  file,
  flag,
  formatted,
  listOf,
  optionalSection,
  secret,
  secretFile,
  section,
  text,
  znode,
} from './schema-types.ts';

const NODE_URL = 'the http(s) URL of a node without path, for example http://druid-1:8081';

const nodeUrl = () => formatted('The URL that the node calls itself.', 'node-url', NODE_URL);

/** Section `discovery`: where the gateway learns of nodes. */
export const discoverySection = () =>
  section(
    {
      type: choice(
        'Where nodes are known from: ZooKeeper, Kubernetes (`druid.discovery.type=k8s`), Consul (`druid.discovery.type=consul`), SRV records of DNS, or the section `static`.',
        ['zookeeper', 'kubernetes', 'consul', 'dns', 'static'],
        'zookeeper',
      ),
      fallback: choices(
        'Sources that are believed in this order while the one above is lost or not read yet, each with its own section. One at a time is believed, and the first again as soon as it is back.',
        ['zookeeper', 'kubernetes', 'consul', 'dns', 'static'],
        [],
      ),
      snapshotFile: Type.Optional(
        file(
          'What the source last said is kept here, so that the gateway can start while ZooKeeper, the Kubernetes API or Consul is down. Its folder must exist; one file for each gateway.',
          'a file that the gateway may write',
        ),
      ),
      snapshotMaxAge: duration('An older snapshot is not used.', 24 * 3_600_000, 1_000),
      allow: section(
        {
          networks: networks('Addresses that may be named; without networks and names, anything may.'),
          names: listOf(
            'Host names that may be named, or their ends.',
            formatted(
              'One name, or the end of names.',
              'name-suffix',
              'a host name, or the end of one with a dot before it: .druid.internal',
            ),
            'a list of host names and of their ends',
          ),
          httpsOnly: flag('Whether nodes must be reached by TLS.', false),
        },
        {
          description:
            'What the source may name: who can write there would be sent requests with their credentials.',
        },
      ),
    },
    { description: 'Where nodes are known from.' },
  );

/** Section `zookeeper`. */
export const zookeeperSection = () =>
  section(
    {
      connect: formatted(
        'The servers, as `druid.zk.service.host`.',
        'zookeeper-connect',
        'HOST:PORT[,HOST:PORT...][/chroot]',
        'localhost:2181',
      ),
      sessionTimeout: duration(
        'What is asked for (`druid.zk.service.sessionTimeoutMs`); the server may grant less (at most 20 of its ticks).',
        30_000,
        1_000,
      ),
      basePath: znode(
        'Below which Druid keeps everything, as `druid.zk.paths.base`.',
        'an absolute ZooKeeper path such as /druid',
        '/druid',
      ),
      coordinatorPath: znode(
        'Where Coordinators are elected, as `druid.zk.paths.coordinatorPath`; by default `coordinator` below `zookeeper.basePath`.',
        'an absolute ZooKeeper path such as /druid/coordinator',
        '/druid/coordinator',
      ),
      auth: optionalSection(
        {
          scheme: text(
            'As `druid.zk.service.authScheme`.',
            'an authentication scheme of ZooKeeper, for example digest',
            'digest',
          ),
          user: text('As `druid.zk.service.user`.', 'the name of a user'),
          /** Set after loading, whichever source gave it. */
          password: Type.Optional(
            secret(
              'The password itself (`druid.zk.service.pwd`); not beside `passwordFile`.',
              "the user's password",
            ),
          ),
          /** Absent after loading: the file's content becomes `password`. */
          passwordFile: Type.Optional(
            secretFile('Better than `password`: where it is.', "a file with the user's password"),
          ),
        },
        { description: 'Needed where Druid runs with druid.zk.service.acl=true.' },
      ),
      tls: optionalSection(
        {
          ...clientTls,
          serverName: Type.Optional(
            text(
              'By default the host that is connected to.',
              "the name that the server's certificate must have",
            ),
          ),
        },
        { description: "TLS to ZooKeeper's secureClientPort." },
      ),
    },
    { description: 'How ZooKeeper is reached, and the paths of Druid in it.' },
  );

/** A client certificate, read again for each request. */
const clientCertificate = (asked: string) => ({
  certFile: Type.Optional(
    file(
      `${asked}; with \`keyFile\` or not at all. Both are read again for each request.`,
      "a PEM file with the client's certificate",
    ),
  ),
  keyFile: Type.Optional(file('The key to `certFile`.', "a PEM file with the client's key")),
});

const namespace = (description: string) =>
  Type.Optional(formatted(description, 'kubernetes-namespace', 'the name of a namespace, such as druid'));

/** Section `kubernetes`, for clusters with `druid-kubernetes-extensions`. */
export const kubernetesSection = () =>
  optionalSection(
    {
      clusterIdentifier: formatted(
        'As `druid.discovery.k8s.clusterIdentifier`.',
        'kubernetes-cluster',
        'two or more lower-case letters, digits and hyphens, such as druid-prod',
      ),
      namespace: namespace("Where Druid's pods are; by default the namespace of the gateway's own pod."),
      coordinatorNamespace: namespace(
        'Where Coordinators are elected, as `druid.discovery.k8s.coordinatorLeaderElectionConfigMapNamespace`; by default `kubernetes.namespace`.',
      ),
      overlordNamespace: namespace(
        'Where Overlords are elected, as `druid.discovery.k8s.overlordLeaderElectionConfigMapNamespace`; by default `kubernetes.namespace`.',
      ),
      address: choice(
        'Where nodes are reached: by the names that they announce, or at the addresses of their pods, where those names mean nothing to others. Nodes that announce addresses are reached there. TLS checks what is announced; `discovery.allow` is about what is reached.',
        ['announced', 'podIP'],
        'announced',
      ),
      server: Type.Optional(
        formatted(
          'The API server; by default that of the cluster that the gateway runs in.',
          'server-url',
          'an http(s) URL, such as https://10.0.0.1:6443',
        ),
      ),
      tokenFile: Type.Optional(
        secretFile(
          "Read again for each request. By default the token of the pod's service account, and none where `kubernetes.server` is given.",
          'a file with a bearer token',
        ),
      ),
      caFile: Type.Optional(
        file(
          "Read again for each request. By default that of the pod's service account; where `kubernetes.server` is given, those that Node.js trusts.",
          'a PEM file with the authorities to trust',
        ),
      ),
      ...clientCertificate(
        'For API servers that know users by certificates, beside the token or in its place',
      ),
    },
    { description: 'For `discovery.type: kubernetes`: which cluster of Druid, and how its API is reached.' },
  );

/** Section `consul`, for clusters with `consul-extensions`. */
export const consulSection = () =>
  optionalSection(
    {
      servicePrefix: formatted(
        'As `druid.discovery.consul.service.servicePrefix`.',
        'consul-prefix',
        'what the names of services begin with, such as druid-prod',
      ),
      datacenter: Type.Optional(
        formatted(
          'As `druid.discovery.consul.service.datacenter`; by default that of the agent.',
          'consul-datacenter',
          'the name of a datacenter, such as dc1',
        ),
      ),
      coordinatorKey: formatted(
        'Where Coordinators are elected, as `druid.discovery.consul.leader.coordinatorLeaderLockPath`.',
        'consul-key',
        'a key without a slash at its beginning',
        'druid/leader/coordinator',
      ),
      overlordKey: formatted(
        'Where Overlords are elected, as `druid.discovery.consul.leader.overlordLeaderLockPath`.',
        'consul-key',
        'a key without a slash at its beginning',
        'druid/leader/overlord',
      ),
      server: formatted(
        'The agent, mostly that of this machine.',
        'server-url',
        'an http(s) URL, such as http://127.0.0.1:8500',
        'http://127.0.0.1:8500',
      ),
      tokenFile: Type.Optional(secretFile('Read again for each request.', 'a file with an ACL token')),
      caFile: Type.Optional(
        file(
          'Read again for each request. Without it, those that Node.js trusts.',
          'a PEM file with the authorities to trust',
        ),
      ),
      ...clientCertificate('For agents that ask for a client certificate (`tls.https.verify_incoming`)'),
    },
    { description: 'For `discovery.type: consul`: which cluster of Druid, and how Consul is reached.' },
  );

const srvName = () =>
  formatted('One name.', 'srv-name', 'a name with SRV records, such as _http._tcp.druid-broker.druid.svc');

/** Section `dns`: names with SRV records. */
export const dnsSection = () =>
  section(
    {
      coordinators: listOf(
        'Names of the Coordinators; who leads is found by asking.',
        srvName(),
        'a list of names with SRV records',
      ),
      overlords: listOf('Names of the Overlords, likewise.', srvName(), 'a list of names with SRV records'),
      brokers: listOf(
        'Names of the Brokers, with their service where it is another than druid/broker.',
        section(
          {
            name: srvName(),
            service: text(
              '`druid.service` of these Brokers.',
              'the name of a Broker service, for example druid/broker',
              'druid/broker',
            ),
          },
          { shorthand: 'srv', expected: 'a name, or { name, service }' },
        ),
        'a list of names, or of { name, service }',
      ),
      scheme: choice('How these nodes are spoken to; SRV records do not say.', ['http', 'https'], 'http'),
      interval: duration('How often the names are asked for, varied by a tenth either way.', 10_000, 100),
      servers: listOf(
        "Servers to ask instead of the system's, such as Consul's (port 8600); they tell the nodes' addresses, too.",
        formatted('One server.', 'dns-server', 'an IP address, or ADDRESS:PORT'),
        'a list of IP addresses, or of ADDRESS:PORT',
      ),
    },
    {
      description:
        'For `discovery.type: dns`: names whose SRV records are the nodes, by the names that they call themselves.',
    },
  );

/** Section `static`: the nodes, if ZooKeeper is not used. */
export const staticSection = () =>
  section(
    {
      coordinators: listOf('All Coordinators; who leads is found by asking.', nodeUrl(), 'a list of URLs'),
      overlords: listOf('All Overlords, likewise.', nodeUrl(), 'a list of URLs'),
      brokers: listOf(
        'All Brokers, with their service where it is another than druid/broker.',
        section(
          {
            url: nodeUrl(),
            service: text(
              '`druid.service` of the Broker.',
              'the name of a Broker service, for example druid/broker',
              'druid/broker',
            ),
          },
          { shorthand: 'broker', expected: 'a URL, or { url, service }' },
        ),
        'a list of URLs, or of { url, service }',
      ),
    },
    { description: 'For `discovery.type: static`: the nodes by the URLs that they call themselves.' },
  );
