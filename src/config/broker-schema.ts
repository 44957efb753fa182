import { Type } from 'typebox';
import {
  duration,
  file,
  flag,
  formatted,
  listOf,
  optionalFlag,
  optionalInteger,
  section,
  text,
} from './schema-types.ts';

const SERVICE = 'the name of a Broker service, for example druid/broker';
const STRATEGIES = ['timeBoundary', 'priority', 'manual'] as const;

/** What a rule of the gateway's own may ask for. */
const match = section(
  {
    path: Type.Optional(formatted('path-prefix', 'a path that starts with a slash')),
    header: Type.Optional(
      formatted('header-match', 'NAME or "NAME: VALUE", and not a header that holds credentials'),
    ),
    user: Type.Optional(text('the name of a user')),
    datasource: Type.Optional(text('the name of a datasource')),
    contextKey: Type.Optional(text("a key of the query's context")),
    contextValue: Type.Optional(text('the value of that key, as text')),
    queryType: Type.Optional(text('a queryType such as topN, or sql')),
  },
  { expected: '{ path, header, user, datasource, contextKey, contextValue, queryType }' },
);

/** Section `brokers`: which Brokers get which queries. */
export const brokerSection = () =>
  section({
    defaultService: text(SERVICE, 'druid/broker'),
    tiers: listOf(
      section(
        { tier: text('the name of a tier'), service: text(SERVICE) },
        { expected: '{ tier, service }' },
      ),
      'a map of tiers to Broker services, or (where tiers are named by numbers) a list of { tier, service }',
      { shorthand: 'tiers' },
    ),
    rules: listOf(
      section({ match, service: text(SERVICE) }, { expected: '{ match, service }' }),
      'a list of { match, service }',
    ),
    strategies: Type.Array(
      section(
        {
          type: Type.Enum([...STRATEGIES], { expected: `one of ${STRATEGIES.join(', ')}` }),
          minPriority: optionalInteger(),
          maxPriority: optionalInteger(),
          compatible: optionalFlag(),
          defaultManualBrokerService: Type.Optional(text(SERVICE)),
          sql: optionalFlag(),
        },
        { shorthand: 'strategy', expected: 'the name of a strategy, or { type, ... }' },
      ),
      {
        default: [{ type: 'timeBoundary' }, { type: 'priority' }],
        expected: 'a list of strategies: timeBoundary, priority, manual',
      },
    ),
    loadRules: section({
      enabled: flag(true),
      pollInterval: duration(60_000, 100),
      timeout: duration(5_000, 10),
      defaultRule: text('the name of the default rules', '_default'),
      auth: Type.Optional(
        section({ user: text('the name of a user'), passwordFile: file("a file with the user's password") }),
      ),
    }),
  });
