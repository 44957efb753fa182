import type { HaproxyServer, ServerState } from '../../../../src/feeds/haproxy/servers.ts';

type Server = { -readonly [K in keyof HaproxyServer]: HaproxyServer[K] };

/** What HAProxy does with the commands that the feed writes, as its management guide (9.3) says. */
export class HaproxyModel {
  readonly backends = new Map<string, Map<string, Server>>();
  /** Servers whose sessions were cut, as `backend/name`. */
  readonly cut: string[] = [];
  /** Servers with connections, as `backend/name`: they cannot be deleted. */
  readonly busy = new Set<string>();
  /** All commands that change something. */
  readonly written: string[] = [];

  /** Does what a configuration does: a reload brings this back. */
  configure(backend: string, ...names: string[]): void {
    this.backends.set(
      backend,
      new Map(
        names.map((name) => [
          name,
          { name, address: '127.0.0.1', port: 1, weight: 1, state: 'maint' as ServerState },
        ]),
      ),
    );
  }

  servers(backend: string): HaproxyServer[] {
    return [...(this.backends.get(backend)?.values() ?? [])].map((server) => ({ ...server }));
  }

  /** Takes a line of commands, as the runtime socket does. */
  take(line: string): string {
    return line
      .split(';')
      .map((command) => this.#one(command.trim()))
      .join('\n');
  }

  #one(command: string): string {
    const show = /^show servers state (\S+)$/.exec(command);
    if (show !== null) return this.#show(show[1] ?? '');
    this.written.push(command);
    const [, verb = '', backend = '', name = '', rest = ''] =
      /^(set server|add server|del server|enable health|shutdown sessions server) ([^/ ]+)\/(\S+)(?: (.*))?$/.exec(
        command,
      ) ?? [];
    const servers = this.backends.get(backend);
    const server = servers?.get(name);
    if (verb === '') return 'Unknown command.\n';
    if (servers === undefined) return 'No such backend.\n';
    if (verb === 'add server') {
      if (server !== undefined) return 'Already exists a server with the same name in backend.\n';
      const [, address = '', port = '', weight = ''] = /^(\S+):(\d+) weight (\d+)/.exec(rest) ?? [];
      servers.set(name, { name, address, port: Number(port), weight: Number(weight), state: 'maint' });
      return 'New server registered.\n';
    }
    if (server === undefined) return 'No such server.\n';
    if (verb === 'del server') {
      if (server.state !== 'maint') return 'Only servers in maintenance mode can be deleted.\n';
      if (this.busy.has(`${backend}/${name}`)) {
        return 'Server still has connections attached to it, cannot remove it.\n';
      }
      servers.delete(name);
      return 'Server deleted.\n';
    }
    if (verb === 'shutdown sessions server') this.cut.push(`${backend}/${name}`);
    const [, state] = /^state (ready|drain|maint)$/.exec(rest) ?? [];
    if (state !== undefined) server.state = state as ServerState;
    const [, weight] = /^weight (\d+)$/.exec(rest) ?? [];
    if (weight !== undefined) server.weight = Number(weight);
    const [, address, port] = /^addr (\S+) port (\d+)$/.exec(rest) ?? [];
    if (address === undefined) return '\n';
    Object.assign(server, { address, port: Number(port) });
    return `IP changed from 'a' to '${address}', port changed from '1' to '${port}' by 'stats socket command'\n`;
  }

  #show(backend: string): string {
    const servers = this.backends.get(backend);
    if (servers === undefined) return "Can't find backend.\n";
    const admin = { ready: 0, drain: 8, maint: 1 };
    const rows = [...servers.values()].map(
      ({ name, address, port, weight, state }, i) =>
        `4 ${backend} ${i + 1} ${name} ${address} 2 ${admin[state]} ${weight} 1 5 1 0 0 0 0 0 0 - ${port} - 0 0 - - 0`,
    );
    return `1\n# ${COLUMNS}\n${rows.join('\n')}\n\n`;
  }
}

const COLUMNS =
  'be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port';
