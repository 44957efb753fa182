import { createServer } from 'node:net';

/** Below the ports that systems give to outgoing connections, which could take one while its server restarts. */
const LOWEST = 15_000;
const HIGHEST = 30_000;

/** So many different ports on which nothing listens on loopback, out of those that are allowed. */
export async function freePorts(
  count: number,
  allowed: (port: number) => boolean = () => true,
): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (allowed(port) && !found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

/** Whether one could listen on this port of an address, loopback by default. */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
