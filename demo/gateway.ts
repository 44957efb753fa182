import { join } from 'node:path';
import { destination } from 'pino';
import { loadConfig } from '../src/config/load.ts';
import { createGateway, type Gateway } from '../src/gateway/gateway.ts';
import { createLogger } from '../src/logs/logger.ts';
import { version } from '../src/version.ts';

export interface GatewayPlace {
  /** A connect string. */
  readonly zookeeper: string;
  readonly port: number;
  readonly adminPort: number;
  /** For its log. */
  readonly folder: string;
}

/** The gateway with default settings in this process; not started yet. */
export function demoGateway({ zookeeper, port, adminPort, folder }: GatewayPlace): Gateway {
  const config = loadConfig({
    flags: { zookeeper, listen: `127.0.0.1:${port}`, admin: `127.0.0.1:${adminPort}` },
    environment: {},
  });
  const stream = destination({ dest: join(folder, 'gateway.log'), sync: false });
  return createGateway(config, { logger: createLogger({ level: 'info', stream }), version });
}
