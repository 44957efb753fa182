import type { FastifyInstance } from 'fastify';
import type { Addresses } from '../feeds/addresses.ts';
import {
  assignment,
  BROKERS_PREFIX,
  ENDPOINTS_TYPE,
  isResource,
  LEADER_RESOURCES,
  nodesOf,
} from '../feeds/envoy.ts';
import type { PublishedView } from '../feeds/published-view.ts';
import { reachedAt, type SharedView } from '../feeds/shared-view.ts';
import { digestOf } from '../feeds/tagged-body.ts';
import type { Guard } from './guard.ts';
import { hold, refuseWait } from './view.ts';

/** An Envoy describes itself in each request, with all its extensions: tens of kilobytes. */
const LONGEST_REQUEST = 1024 * 1024;
/** How long an answer is held, in ms. Envoy's own `request_timeout` has to be longer. */
const HOLD_MS = 20_000;
const MOST_NAMES = 100;
const LONGEST_NAME = 512;
/**
 * An Envoy that refuses an answer asks again at once, with the version it had before. It gets the same answer again
 * after this long, in ms, and not as fast as it can ask.
 */
const REFUSED_MS = 1_000;
/** Most Envoys that are remembered for this. */
const MOST_ANSWERED = 1_000;

const EXPECTED = `resource_names: expected ${LEADER_RESOURCES.coordinator}, ${LEADER_RESOURCES.overlord} or ${BROKERS_PREFIX}SERVICE`;

interface Answer {
  readonly version: string;
  readonly json: string;
}

/**
 * Registers `POST /v3/discovery:endpoints`: Envoy's endpoint discovery by REST (xDS v3), with held answers. An answer is
 * held while it would be the one that Envoy has, by `version_info`, and is 304 if that is still so in the end.
 */
export function registerEnvoy(
  app: FastifyInstance,
  guard: Pick<Guard, 'read'>,
  published: PublishedView,
  addresses: Addresses,
): void {
  /** Answers of one view, by the names asked for: many Envoys ask for the same. */
  let made: { view: SharedView; changes: number; answers: Map<string, Answer> } | null = null;
  /** What was last answered to whom, and when; the oldest first. */
  const answered = new Map<string, { version: string; at: number }>();

  function answerOf(view: SharedView, names: readonly string[]): Answer {
    const { changes } = addresses;
    if (made?.view !== view || made.changes !== changes) made = { view, changes, answers: new Map() };
    const key = names.join('\n');
    let answer = made.answers.get(key);
    if (answer === undefined) {
      const resources = names.map((name) => assignment(view, name, (host) => addresses.of(host)));
      const version = digestOf(JSON.stringify(resources));
      answer = {
        version,
        json: JSON.stringify({ version_info: version, type_url: ENDPOINTS_TYPE, resources }),
      };
      if (made.answers.size >= MOST_ANSWERED) made.answers.clear();
      made.answers.set(key, answer);
    }
    return answer;
  }

  function know(names: readonly string[]): Promise<void> {
    const view = published.current;
    return addresses.know(names.flatMap((name) => nodesOf(view, name).map(reachedAt)));
  }

  app.post(
    '/v3/discovery::endpoints',
    { onRequest: guard.read, bodyLimit: LONGEST_REQUEST },
    async (request, reply) => {
      const asked = questionOf(request.body);
      if (typeof asked === 'string') return reply.code(400).send({ error: asked });
      const { names, version, node } = asked;
      if (!names.every(isResource)) return reply.code(404).send({ error: EXPECTED });
      // Before discovery is complete nobody knows whether there are none, and Envoy keeps what it has.
      if (!published.current.complete) {
        return reply.code(503).header('retry-after', '1').send({ error: 'discovery is not complete yet' });
      }
      await know(names);
      const isNews = (view: SharedView): boolean => answerOf(view, names).version !== version;
      const whose = `${node}\n${names.join('\n')}`;
      const last = answered.get(whose);
      const refused =
        last !== undefined &&
        last.version === answerOf(published.current, names).version &&
        last.version !== version &&
        performance.now() - last.at < REFUSED_MS;
      if (refused || !isNews(published.current)) {
        if (published.full) return refuseWait(reply);
        const before = published.current;
        const wait = refused
          ? published.wait((view) => view !== before, REFUSED_MS)
          : published.wait(isNews, HOLD_MS);
        await hold(reply, wait);
        await know(names);
      }
      const answer = answerOf(published.current, names);
      if (answer.version === version) return reply.code(304).send();
      answered.delete(whose);
      answered.set(whose, { version: answer.version, at: performance.now() });
      for (const oldest of answered.keys()) {
        if (answered.size <= MOST_ANSWERED) break;
        answered.delete(oldest);
      }
      return reply.type('application/json').send(answer.json);
    },
  );
}

interface Question {
  readonly names: readonly string[];
  /** Empty at first. */
  readonly version: string;
  readonly node: string;
}

/** Returns what a `DiscoveryRequest` asks for, or what is wrong with it. JSON of protobuf has two spellings of names. */
function questionOf(body: unknown): Question | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return 'expected application/json with a DiscoveryRequest of Envoy';
  }
  const fields = body as Readonly<Record<string, unknown>>;
  const {
    resource_names: names = fields.resourceNames,
    type_url: type = fields.typeUrl ?? '',
    version_info: version = fields.versionInfo ?? '',
    node,
  } = fields;
  if (type !== '' && type !== ENDPOINTS_TYPE) return `type_url: expected ${ENDPOINTS_TYPE}`;
  if (!Array.isArray(names) || names.length === 0 || names.length > MOST_NAMES) return EXPECTED;
  const isName = (name: unknown): name is string => typeof name === 'string' && name.length <= LONGEST_NAME;
  if (!names.every(isName)) return EXPECTED;
  if (typeof version !== 'string') return 'version_info: expected text';
  const id = typeof node === 'object' && node !== null && 'id' in node ? node.id : '';
  return { names, version, node: typeof id === 'string' ? id.slice(0, LONGEST_NAME) : '' };
}
