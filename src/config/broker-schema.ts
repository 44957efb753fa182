import { Type } from 'typebox';
import {
  duration,
  flag,
  formatted,
  listOf,
  optionalFlag,
  optionalInteger,
  optionalSection,
  secretFile,
  section,
  text,
} from './schema-types.ts';

const SERVICE = 'the name of a Broker service, for example druid/broker';
const STRATEGIES = ['timeBoundary', 'priority', 'manual'] as const;

/** Conditions of a rule of the gateway's own. */
const match = section(
  {
    path: Type.Optional(formatted('A prefix of the path.', 'path-prefix', 'a path that starts with a slash')),
    header: Type.Optional(
      formatted(
        'A header that the request has: NAME, or "NAME: VALUE".',
        'header-match',
        'NAME or "NAME: VALUE", and not a header that holds credentials',
      ),
    ),
    user: Type.Optional(text('The user of Basic authorization.', 'the name of a user')),
    datasource: Type.Optional(text('One that a native query reads.', 'the name of a datasource')),
    contextKey: Type.Optional(text("One that the query's context has.", "a key of the query's context")),
    contextValue: Type.Optional(text('What it is there.', 'the value of that key, as text')),
    queryType: Type.Optional(text('That of a native query, or `sql`.', 'a queryType such as topN, or sql')),
  },
  {
    expected: '{ path, header, user, datasource, contextKey, contextValue, queryType }',
    description: 'All that is given must match.',
  },
);

/** Section `brokers`: which Brokers get which queries. */
export const brokerSection = () =>
  section(
    {
      defaultService: text(
        '`druid.service` of the Brokers that get what no other service is chosen for.',
        SERVICE,
        'druid/broker',
      ),
      tiers: listOf(
        '`druid.service` for each tier, the tier of highest priority first, the default service among them. Brokers of other services get nothing. Without tiers all requests go to the default service, and the keys below are not looked at.',
        section(
          {
            tier: text('A tier of Historicals.', 'the name of a tier'),
            service: text('The Brokers for it.', SERVICE),
          },
          { expected: '{ tier, service }' },
        ),
        'a map of tiers to Broker services, or (where tiers are named by numbers) a list of { tier, service }',
        { shorthand: 'tiers' },
      ),
      rules: listOf(
        'Rules of your own, before the strategies; the first one wins of which everything that is given matches.',
        section(
          { match, service: text('The Brokers that get it.', SERVICE) },
          { expected: '{ match, service }' },
        ),
        'a list of { match, service }',
      ),
      strategies: Type.Array(
        section(
          {
            type: Type.Enum([...STRATEGIES], {
              description:
                'timeBoundary: such queries go to the first tier. priority: by the priority of the query. manual: to the `brokerService` of its context.',
              expected: `one of ${STRATEGIES.join(', ')}`,
            }),
            minPriority: optionalInteger(
              'For `priority`: queries below go to the last tier; 0 if not given.',
            ),
            maxPriority: optionalInteger(
              'For `priority`: queries above go to the first tier; 1 if not given.',
            ),
            compatible: optionalFlag(
              'For `priority`: both to the default service instead, as the Router really does.',
            ),
            defaultManualBrokerService: Type.Optional(
              text('For `manual`: who gets queries without a `brokerService`.', SERVICE),
            ),
            sql: optionalFlag('For `manual`: false leaves SQL out.'),
          },
          { shorthand: 'strategy', expected: 'the name of a strategy, or { type, ... }' },
        ),
        {
          description: 'In this order, the first one that has an answer wins.',
          default: [{ type: 'timeBoundary' }, { type: 'priority' }],
          expected: 'a list of strategies: timeBoundary, priority, manual',
        },
      ),
      loadRules: section(
        {
          enabled: flag(
            "Whether native queries that no strategy has an answer for go to the first tier that has the data by the Coordinator's rules.",
            true,
          ),
          pollInterval: duration('How often these rules are read.', 60_000, 100),
          timeout: duration('How long that may take.', 5_000, 10),
          defaultRule: text(
            'The name under which the default rules are listed (`druid.router.defaultRule`).',
            'the name of the default rules',
            '_default',
          ),
          auth: optionalSection(
            {
              user: text('A user who may read the state.', 'the name of a user'),
              passwordFile: secretFile('Where the password is.', "a file with the user's password"),
            },
            { description: 'For a secured cluster.' },
          ),
        },
        {
          description:
            "For native queries that no strategy has an answer for: the first tier that has the data by the Coordinator's rules.",
        },
      ),
    },
    {
      description:
        "Which Brokers get which queries; see docs/routing.md. Druid's own names are druid.router.*.",
    },
  );
