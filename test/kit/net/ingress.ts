import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy that puts several gateways at one host, each below its own path. */
export interface Ingress {
  readonly url: string;
  /** Request lines with paths that are below none. */
  readonly lost: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts an ingress that passes on whatever is below the path of one of these URLs to that URL's host, as it came, as
 * ingress controllers do unless they are told to rewrite.
 */
export async function startIngress(...backends: readonly string[]): Promise<Ingress> {
  const routes = backends.map((backend) => new URL(backend));
  const lost: string[] = [];
  const server = http.createServer((request, response) => {
    const { method, url = '', headers } = request;
    const route = routes.find(({ pathname }) => `${url.split('?')[0]}/`.startsWith(`${pathname}/`));
    if (route === undefined) {
      lost.push(`${method} ${url}`);
      response.writeHead(404).end();
      return;
    }
    const { hostname, port } = route;
    const passed = http.request({ method, path: url, headers, hostname, port, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
