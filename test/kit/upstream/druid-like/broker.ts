import type { IncomingMessage, ServerResponse } from 'node:http';

/** A query's context, with what makes the answer long or large. */
interface Query {
  readonly query?: string;
  readonly context?: {
    readonly sqlQueryId?: string;
    /** Rows of the answer; without it one row is answered as `SELECT 1` is. */
    readonly rows?: number;
    /** Milliseconds between two rows. */
    readonly everyMs?: number;
    readonly rowBytes?: number;
  };
}

interface AvaticaRequest {
  readonly request?: string;
  readonly connectionId?: string;
}

/** What Druid answers with 200 whether it has the connection or not (`DruidMeta`). */
const ALWAYS_WELL = new Set([
  'closeConnection',
  'closeStatement',
  'databaseProperties',
  'commit',
  'rollback',
]);

export interface Broker {
  /** False for paths that a Broker does not have. */
  handle(request: IncomingMessage, response: ServerResponse, body: string): boolean;
}

/** A Broker as clients see it: SQL with its headers and trailer, cancels, and connections of JDBC. */
export function createBroker(): Broker {
  /** By id: what ends it. */
  const running = new Map<string, () => void>();
  const connections = new Set<string>();
  let ids = 0;

  function query(response: ServerResponse, body: string): void {
    const { context = {} } = JSON.parse(body) as Query;
    const { rows, everyMs = 0, rowBytes = 0 } = context;
    const id = context.sqlQueryId ?? `druid-like-${process.pid}-${ids++}`;
    response.writeHead(200, {
      'content-type': 'application/json',
      'x-druid-sql-query-id': id,
      'x-druid-query-id': id,
      'x-druid-response-context': '{}',
      trailer: 'X-Druid-Response-Complete, X-Error-Message',
    });
    if (rows === undefined) {
      response.addTrailers({ 'X-Druid-Response-Complete': 'true' });
      response.end('[{"EXPR$0":1}]\n');
      return;
    }
    let sent = 0;
    let timer: NodeJS.Timeout | null = null;
    const end = (failure: string | null): void => {
      running.delete(id);
      if (timer !== null) clearTimeout(timer);
      if (failure !== null) response.addTrailers({ 'X-Error-Message': failure });
      response.addTrailers({ 'X-Druid-Response-Complete': String(failure === null) });
      response.end(']\n');
    };
    const next = (): void => {
      if (response.destroyed) return;
      if (sent === rows) {
        end(null);
        return;
      }
      const row = JSON.stringify({ n: sent, filling: 'x'.repeat(rowBytes) });
      response.write(`${sent === 0 ? '[' : ','}${row}`);
      sent++;
      timer = setTimeout(next, everyMs);
    };
    running.set(id, () => end('Query cancelled'));
    response.once('close', () => {
      running.delete(id);
      if (timer !== null) clearTimeout(timer);
    });
    next();
  }

  function avatica(response: ServerResponse, body: string): void {
    const { request = '', connectionId = '' } = JSON.parse(body) as AvaticaRequest;
    const known = connections.has(connectionId);
    if (request === 'openConnection' && known) fail(`ISE: Connection [${connectionId}] already open.`, -1);
    else if (request !== 'openConnection' && !known && !ALWAYS_WELL.has(request)) fail(null, 1);
    else {
      if (request === 'openConnection') connections.add(connectionId);
      else if (request === 'closeConnection') connections.delete(connectionId);
      json(response, 200, { response: request, rpcMetadata: { response: 'rpcMetadata' } });
    }

    function fail(errorMessage: string | null, errorCode: number): void {
      const exceptions = [errorMessage ?? 'org.apache.calcite.avatica.NoSuchConnectionException\n\tat'];
      json(response, 500, { response: 'error', exceptions, errorMessage, errorCode });
    }
  }

  return {
    handle(request, response, body) {
      const path = (request.url ?? '').split('?')[0] ?? '';
      if (path === '/druid/broker/v1/readiness') json(response, 200, undefined);
      else if (path.startsWith('/druid/v2/sql/avatica')) avatica(response, body);
      else if (request.method === 'POST' && path === '/druid/v2/sql') query(response, body);
      else if (request.method === 'DELETE' && path.startsWith('/druid/v2/sql/')) {
        const cancel = running.get(path.slice('/druid/v2/sql/'.length));
        cancel?.();
        response.writeHead(cancel === undefined ? 404 : 202, { 'content-length': 0 });
        response.end();
      } else return false;
      return true;
    },
  };
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const text = value === undefined ? '' : JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
