import closeWithGrace from 'close-with-grace';
import { createLogger, endLogger } from '../admin/logger.ts';
import { loadConfig } from '../config/load.ts';
import { createGateway } from '../gateway.ts';
import { EXIT_INTERNAL_ERROR, onProcessError, PROCESS_ERRORS } from '../process-errors.ts';
import { forTimer } from '../timer.ts';
import { version } from '../version.ts';
import type { SourceArguments } from './arguments.ts';

/** What closing may take beyond the configured delay and drain: connections to ZooKeeper and the nodes. */
const CLOSE_SLACK_MS = 10_000;

/**
 * Serves until SIGTERM or SIGINT, then drains and ends the process with 0; a second signal ends it at once with 1. An
 * error that nothing has caught ends it at once with 70: whoever found a way to cause one could hold a drain open.
 * Rejects when it cannot start.
 */
export async function serve(sources: SourceArguments): Promise<void> {
  const config = loadConfig({ ...sources, environment: process.env });
  const logger = createLogger({ level: config.log.level, shared: config.workers > 1 });
  onProcessError((err) => {
    // Writes what is buffered before it returns.
    logger.fatal({ err }, 'an error of the gateway itself; the process ends');
    process.exit(EXIT_INTERNAL_ERROR);
  });
  const gateway = createGateway(config, { logger, version });
  const { listen, admin } = await gateway.start();
  const { delay, drain } = config.shutdown;
  closeWithGrace(
    { delay: forTimer(delay + drain + CLOSE_SLACK_MS), logger: false, skip: PROCESS_ERRORS },
    async ({ signal }) => {
      logger.info({ signal }, 'draining');
      await gateway.stop();
      await endLogger(logger);
    },
  );
  // Nobody needs to read it: it may be closed.
  process.stdout.on('error', () => {});
  process.stdout.write(`druid-gateway ${version} serves on ${listen}, admin on ${admin}\n`);
}
