import { readFileSync } from 'node:fs';
import { createProbeClient } from '../cluster/probe.ts';
import type { Config } from '../config/schema.ts';
import type { GatewaySource } from '../doctor/gather.ts';
import { outcome } from '../doctor/node-facts.ts';
import { fromHere } from '../net/host-port.ts';

const TIMEOUT_MS = 1_500;
/** With 10,000 Brokers a status has some 3 MB. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/**
 * Reads the status of a gateway by its admin listener: at `origin`, or where the configuration has it. The certificate
 * of a configured listener is trusted as it is, any other one by its authority.
 */
export function createAdminSource({ admin }: Config, origin: string | null): GatewaySource {
  const { listen, tls } = admin;
  const scheme = tls === undefined ? 'http' : 'https';
  const where = origin ?? `${scheme}://${fromHere(listen)}`;
  const own = origin === null && tls !== undefined ? { ca: readFileSync(tls.certFile, 'utf8') } : {};
  return {
    where,
    expected: origin !== null,
    async read() {
      if (origin === null && listen.port === 0)
        throw new Error('admin.listen.port is 0; name the listener by --admin URL');
      const client = createProbeClient({
        timeoutMs: TIMEOUT_MS,
        maxBodyBytes: MAX_BODY_BYTES,
        tls: { ...own, rejectUnauthorized: true },
      });
      try {
        const answer = await client.probe(where, '/status');
        if (answer.kind !== 'answer' || answer.status !== 200) throw new Error(String(outcome(answer)));
        return JSON.parse(answer.body);
      } finally {
        await client.close();
      }
    },
  };
}
