import closeWithGrace from 'close-with-grace';
import { loadWithOrigins } from '../config/load.ts';
import { FAULT_CODE, logFault, onFault } from '../faults/process-fault.ts';
import { createGateway, type Gateway } from '../gateway/gateway.ts';
import { collectAfterStart, keepObjectsYoung, optimizeInOneStep } from '../gateway/heap.ts';
import { createLogger, endLogger, lastLog } from '../logs/logger.ts';
import { forTimer } from '../time/timer.ts';
import { version } from '../version.ts';
import type { SourceArguments } from './command.ts';

/** Extra shutdown time in ms, after `delay` and `drain`, for closing connections to ZooKeeper and the nodes. */
const CLOSE_SLACK_MS = 10_000;

/**
 * Serves until SIGTERM or SIGINT, then drains and exits with 0; a second signal exits at once. SIGHUP has the
 * configuration read again. A fault of its own exits with 70 and without draining: the client that found the fault could
 * hold a drain open. Rejects if it cannot start, with `ConfigError` for a wrong configuration.
 */
export async function serve(sources: SourceArguments): Promise<void> {
  keepObjectsYoung();
  optimizeInOneStep();
  let gateway: Gateway | null = null;
  // Without a listener the signal would end the process.
  process.on('SIGHUP', () => void gateway?.reload('signal'));
  const secrets: string[] = [];
  // A copy: secrets are removed below, and a reload reads them again.
  const given = { ...sources, environment: { ...process.env } };
  const loaded = loadWithOrigins({ ...given, onSecretVariable: (name) => secrets.push(name) });
  const { config } = loaded;
  // Workers inherit the environment, but get everything they need in messages.
  for (const name of secrets) delete process.env[name];
  const { level, format } = config.log;
  const logger = createLogger({ level, format, shared: config.workers > 1 });
  onFault((error) => {
    logFault(logger, error);
    const exit = (): void => process.exit(FAULT_CODE);
    lastLog(logger).then(exit, exit);
  });
  // Standard output may have no reader.
  process.stdout.on('error', () => {});
  const files = [sources.file, sources.druidProperties].filter((file) => file !== undefined);
  const serving = createGateway(config, {
    logger,
    version,
    settings: loaded.settings,
    origin: { load: () => loadWithOrigins(given), files },
  });
  gateway = serving;
  const { listen, admin, health } = await serving.start();
  collectAfterStart();
  const { delay, drain } = config.shutdown;
  closeWithGrace(
    {
      delay: forTimer(delay + drain + CLOSE_SLACK_MS),
      logger: false,
      skip: ['uncaughtException', 'unhandledRejection', 'SIGHUP'],
    },
    async ({ signal }) => {
      logger.info({ signal }, 'draining');
      await serving.stop();
      await endLogger(logger);
    },
  );
  const also = health === undefined ? '' : `, health on ${health}`;
  process.stdout.write(`druid-gateway ${version} serves on ${listen}, admin on ${admin}${also}\n`);
}
