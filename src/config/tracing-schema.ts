import { Type } from 'typebox';
import {
  choice,
  clientTls,
  count,
  duration,
  flag,
  formatted,
  listOf,
  optionalSection,
  secretFile,
  section,
  share,
  text,
} from './schema-types.ts';

/** Section `tracing`. */
export const tracingSection = () =>
  section(
    {
      enabled: flag(
        "Spans of requests, exported over OTLP. Needs OpenTelemetry's packages, see docs/operations.md. Without it trace context only passes, and stands in the access log.",
        false,
      ),
      sampleRatio: share('The share of traces that are recorded.', 1),
      followParent: flag(
        "Whether the caller's sampled flag decides where a request has a trace context; false where strangers could have everything recorded.",
        true,
      ),
      serviceName: text('`service.name` of the spans.', 'a name', 'druid-gateway'),
      resource: listOf(
        'More attributes of the resource, such as `deployment.environment.name=production`.',
        formatted('One attribute.', 'attribute', 'KEY=VALUE'),
        'a list of attributes',
      ),
      maxQueue: count(
        'Ended spans that wait for their export in a process; more are dropped.',
        2_048,
        1,
        'a whole number from 1',
      ),
      delay: duration('Longest wait of a span for others that are exported with it.', 5_000, 10),
      otlp: section(
        {
          endpoint: formatted(
            'The receiver, by HTTP with protobuf; without a path it is /v1/traces.',
            'otlp-endpoint',
            'a URL such as http://collector:4318, without a user',
            'http://localhost:4318/v1/traces',
          ),
          headers: Type.Array(
            Type.String({
              format: 'header-line',
              shorthand: 'secret',
              expected: 'a header such as "X-Scope-OrgID: druid", none that HTTP needs',
            }),
            {
              description:
                'Headers of requests to the receiver; they are shown nowhere. Better in a file where one is a credential.',
              default: [],
              expected: 'a list of headers',
            },
          ),
          headersFile: Type.Optional(
            secretFile('More such headers, one on each line.', 'a file with a "Name: value" on each line'),
          ),
          timeout: duration('For one export, repeats included.', 10_000, 10),
          compression: choice('Of what is sent.', ['none', 'gzip'], 'none'),
          tls: optionalSection(clientTls, { description: 'Certificates of an https receiver.' }),
        },
        { description: 'Where spans go.' },
      ),
    },
    { description: 'Spans of requests over OTLP.' },
  );
