import { Type } from 'typebox';
import {
  duration,
  durationOrZero,
  file,
  formatted,
  listOf,
  optionalSection,
  secretFile,
  section,
  text,
} from './schema-types.ts';

const BACKEND = 'the name of a backend of HAProxy, of letters, digits, hyphens, underscores, dots and colons';

const backend = (description: string) => formatted(description, 'haproxy-name', BACKEND);

const service = (description: string) =>
  Type.Optional(
    formatted(description, 'kubernetes-namespace', 'the name of a Service, such as druid-coordinator'),
  );

/** Section `feeds.kubernetes`. */
const kubernetesFeed = () =>
  optionalSection(
    {
      namespace: Type.Optional(
        formatted(
          "Where the Services are; by default the namespace of the gateway's own pod.",
          'kubernetes-namespace',
          'the name of a namespace, such as druid',
        ),
      ),
      services: section(
        {
          coordinator: service('A Service without a selector, for the leading Coordinator.'),
          overlord: service('The same for the Overlord.'),
        },
        { description: 'Services that lead to a leader. A role that is not named is left alone.' },
      ),
      portName: formatted(
        "The name of the Services' port; empty where it has none.",
        'kubernetes-port',
        'the name of a port, such as http',
        'http',
      ),
      lease: Type.Optional(
        formatted(
          'The Lease whose holder writes; the same for all gateways of one Druid, and for no other. By default the first of the Services, with `-endpoints` after it.',
          'kubernetes-namespace',
          'the name of a Lease, such as druid-endpoints',
        ),
      ),
      leaseDuration: duration(
        'How long other gateways wait for a holder of which they hear nothing.',
        15_000,
        1_000,
      ),
      renewDeadline: duration(
        'A holder that could not renew the Lease for so long does not write any more; below `leaseDuration`.',
        10_000,
        100,
      ),
      retryPeriod: duration(
        'How often the holder renews the Lease, and others try to take it; `renewDeadline` is more than 1.2 times as long.',
        2_000,
        50,
      ),
      emptyAfter: durationOrZero(
        'How long nobody must serve before the Service has no endpoint: mostly somebody serves again at once.',
        1_000,
        'for at once',
      ),
      interval: duration('How often the holder reads the EndpointSlices, and puts them right.', 10_000, 100),
      server: Type.Optional(
        formatted(
          'The API server; by default `kubernetes.server`, or that of the cluster that the gateway runs in.',
          'server-url',
          'an http(s) URL, such as https://10.0.0.1:6443',
        ),
      ),
      tokenFile: Type.Optional(
        secretFile(
          'Read again for each request. By default as for `kubernetes.tokenFile`.',
          'a file with a bearer token',
        ),
      ),
      caFile: Type.Optional(
        file(
          'Read again for each request. By default as for `kubernetes.caFile`.',
          'a PEM file with the authorities to trust',
        ),
      ),
    },
    {
      description:
        'EndpointSlices of Services in Kubernetes that lead to the leaders, written by one gateway at a time; see docs/view.md.',
    },
  );

/** Section `feeds`: what the gateway writes its view to. */
export const feedsSection = () =>
  section(
    {
      haproxy: optionalSection(
        {
          socket: file(
            'Its runtime socket (`stats socket PATH mode 600 level admin`); the gateway needs the right to write there.',
            "HAProxy's runtime socket",
          ),
          backends: section(
            {
              coordinator: Type.Optional(
                backend('Gets the leading Coordinator; has servers leader1 and leader2.'),
              ),
              overlord: Type.Optional(backend('The same for the Overlord.')),
              brokers: listOf(
                'Get the Brokers of a service each, as servers that are added and deleted.',
                section(
                  {
                    service: text(
                      'Their `druid.service`.',
                      'the name of a Broker service, for example druid/broker',
                    ),
                    backend: backend('Gets them. No other service has it.'),
                  },
                  { expected: '{ service, backend }' },
                ),
                'a list of { service, backend }',
              ),
            },
            {
              description: 'Backends of HAProxy, by what they are for. One that is not named is left alone.',
            },
          ),
          serverOptions: Type.Optional(
            formatted(
              'What `add server` says of a Broker besides address and weight, such as `check inter 2s maxconn 200`.',
              'haproxy-words',
              'words of a server line of HAProxy',
            ),
          ),
          interval: duration(
            'How often HAProxy is asked what it has: it forgets everything when it is reloaded.',
            2_000,
            100,
          ),
        },
        {
          description:
            'A running HAProxy whose servers are kept as the view says, without a reload; see docs/view.md.',
        },
      ),
      kubernetes: kubernetesFeed(),
    },
    { description: 'Others that are told the view by the gateway, besides those that ask for it.' },
  );
