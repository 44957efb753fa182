import { createGatewayPeer } from './gateway.ts';
import { haproxy } from './haproxy.ts';
import { httpProxyPeer } from './http-proxy.ts';
import { nginx, nginxLarge } from './nginx.ts';
import type { Peer } from './peer.ts';
import { router } from './router.ts';

const FRONT = 'this gateway by its front door: metrics and access log on, log to a file, ZooKeeper watched';

/** The `dist/main.js` of another build, to compare with. */
const OTHER = process.env.OTHER_BUILD;

/** In the order of the table's rows. The first is what the others are compared to. */
export const PEERS: readonly Peer[] = [
  nginx,
  nginxLarge,
  haproxy,
  router,
  httpProxyPeer,
  createGatewayPeer('front', FRONT, { DOORS__EXPRESS: 'false' }),
  createGatewayPeer('express', 'the same by its express door', { DOORS__EXPRESS: 'true' }),
  createGatewayPeer('express-shared', 'the same with one read buffer for all clients (opt-in)', {
    DOORS__EXPRESS: 'true',
    DOORS__SHARED_READ_BUFFER: 'true',
  }),
  ...(OTHER === undefined
    ? []
    : [createGatewayPeer('other', 'another build by its express door', { DOORS__EXPRESS: 'true' }, OTHER)]),
];
