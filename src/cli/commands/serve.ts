import { type CliCommand, OK, type SourceArguments } from '../command.ts';

export const serve: CliCommand = {
  name: 'serve',
  summary: "Serve Druid's clients until SIGTERM (what it does without a command)",
  takesConfiguration: true,
  examples: [
    { line: 'druid-gateway --zookeeper zk-1:2181,zk-2:2181', what: "the rest as Druid's defaults have it" },
    { line: 'druid-gateway serve --config gateway.yaml', what: 'what the file says' },
    {
      line: 'druid-gateway --druid-properties /opt/druid/conf/_common/common.runtime.properties',
      what: "with Druid's own settings",
    },
  ],
  run: ({ sources }) => serveWith(sources),
};

/** Serves with what these sources say, see `serve` in `../serve.ts`. */
export async function serveWith(sources: SourceArguments): Promise<number> {
  const { serve } = await import('../serve.ts');
  await serve(sources);
  return OK;
}
