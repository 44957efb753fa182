import net from 'node:net';

/** Passes connections on, as a process that can be put into a network namespace: HOST PORT TARGET_HOST TARGET_PORT. */
const [host, port, targetHost, targetPort] = process.argv.slice(2);

const server = net.createServer((client) => {
  const target = net.connect({ host: targetHost ?? '', port: Number(targetPort) });
  for (const [one, other] of [
    [client, target],
    [target, client],
  ] as const) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
    one.pipe(other);
  }
});
server.listen(Number(port), host, () => process.stdout.write('serves\n'));
