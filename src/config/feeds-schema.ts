import { Type } from 'typebox';
import { duration, file, formatted, listOf, optionalSection, section, text } from './schema-types.ts';

const BACKEND = 'the name of a backend of HAProxy, of letters, digits, hyphens, underscores, dots and colons';

const backend = (description: string) => formatted(description, 'haproxy-name', BACKEND);

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
    },
    { description: 'Others that are told the view by the gateway, besides those that ask for it.' },
  );
