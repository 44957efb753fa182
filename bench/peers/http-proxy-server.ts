import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';
import { destination } from 'pino';

/** What one writes first: @fastify/http-proxy as it comes, with one line of log for each request, in batches. */
const { port, coordinator, overlord, brokers, redirect, log } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly port: number;
  readonly coordinator: string;
  readonly overlord: string;
  readonly brokers: readonly string[];
  readonly redirect: boolean;
  readonly log: string;
};
const app = fastify({
  logger: { stream: destination({ dest: log, sync: false, minLength: 4_096 }) },
  disableRequestLogging: true,
  bodyLimit: 1024 ** 3,
});
app.addHook('onResponse', async ({ log: line, method, url, ip }, { statusCode, elapsedTime }) => {
  line.info({ method, url, ip, status: statusCode, ms: elapsedTime }, 'request');
});
app.get('/status/health', async () => true);
if (redirect) {
  app.get('/druid/coordinator/*', ({ url }, reply) => reply.redirect(`http://${coordinator}${url}`, 307));
} else {
  await app.register(httpProxy, relay('/druid/coordinator', [coordinator]));
}
await app.register(httpProxy, relay('/druid/indexer', [overlord]));
await app.register(httpProxy, relay('/druid/v2', brokers));
await app.listen({ host: '127.0.0.1', port });

function relay(
  prefix: string,
  nodes: readonly string[],
): Parameters<typeof httpProxy>[1] & { prefix: string } {
  let turn = 0;
  const getUpstream = (): string => `http://${nodes[turn++ % nodes.length]}`;
  return { prefix, rewritePrefix: prefix, upstream: '', replyOptions: { getUpstream } };
}
