import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { MasterRole } from '../../../src/discovery/discovery.ts';

/** Origins of nodes, real or not. */
export interface ContractNodes {
  readonly masters: Readonly<Record<MasterRole, { readonly leader: string; readonly other: string }>>;
  readonly broker: string;
}

const BASES: Readonly<Record<MasterRole, string>> = {
  coordinator: '/druid/coordinator/v1',
  overlord: '/druid/indexer/v1',
};
const READS: Readonly<Record<MasterRole, string>> = { coordinator: '/datasources', overlord: '/tasks' };

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly trailers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

function ask(method: string, url: string, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers: { 'content-type': 'application/json' } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      answer.on('end', () => {
        const { statusCode = 0, headers, trailers } = answer;
        resolve({ status: statusCode, headers, trailers, body: text });
      });
    });
    asked.on('error', reject);
    asked.end(body === undefined ? '' : JSON.stringify(body));
  });
}

/**
 * What the gateway relies on in Druid, as tests that run against real processes and against those that stand in for
 * them, so that these cannot drift away.
 */
export function druidContract(nodes: () => Promise<ContractNodes>): void {
  describe.each(['coordinator', 'overlord'] as const)('a %s', (role) => {
    const base = BASES[role];

    test('says whether it leads, and who does', async () => {
      const { leader, other } = (await nodes()).masters[role];
      const yes = await ask('GET', `${leader}${base}/isLeader`);
      expect([yes.status, JSON.parse(yes.body)]).toEqual([200, { leader: true }]);
      const no = await ask('GET', `${other}${base}/isLeader`);
      expect([no.status, JSON.parse(no.body)]).toEqual([404, { leader: false }]);
      for (const node of [leader, other]) {
        const named = await ask('GET', `${node}${base}/leader`);
        expect([named.status, named.body.trim()]).toEqual([200, leader]);
        expect(named.headers['content-type']).toBe('application/json');
      }
    });

    test('that does not lead redirects everything else, path and query as they came', async () => {
      const { leader, other } = (await nodes()).masters[role];
      for (const method of ['GET', 'POST']) {
        const target = `${base}${READS[role]}?x=%2F;a`;
        const answer = await ask(method, other + target);
        expect([answer.status, answer.headers.location, answer.body]).toEqual([307, leader + target, '']);
        expect(answer.headers['content-length']).toBe('0');
        const cached = method === 'GET' ? 'no-cache, no-store, max-age=0' : undefined;
        expect(answer.headers['cache-control']).toBe(cached);
      }
    });

    test('that leads answers in JSON', async () => {
      const { leader } = (await nodes()).masters[role];
      const answer = await ask('GET', `${leader}${base}${READS[role]}`);
      expect([answer.status, Array.isArray(JSON.parse(answer.body))]).toEqual([200, true]);
      expect(answer.headers['content-type']).toBe('application/json');
    });
  });

  describe('a Broker', () => {
    test('is ready and healthy', async () => {
      const { broker } = await nodes();
      expect((await ask('GET', `${broker}/druid/broker/v1/readiness`)).status).toBe(200);
      const health = await ask('GET', `${broker}/status/health`);
      expect([health.status, health.body.trim()]).toEqual([200, 'true']);
      expect((await ask('GET', `${broker}/status/ready`)).status).toBe(404);
    });

    test('answers SQL with the id of the query and with a trailer', async () => {
      const { broker } = await nodes();
      const sqlQueryId = crypto.randomUUID();
      const answer = await ask('POST', `${broker}/druid/v2/sql`, {
        query: 'SELECT 1',
        context: { sqlQueryId },
      });
      expect([answer.status, answer.body.trim()]).toEqual([200, '[{"EXPR$0":1}]']);
      expect(answer.headers['x-druid-sql-query-id']).toBe(sqlQueryId);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(String(answer.headers.trailer)).toContain('X-Druid-Response-Complete');
      expect(answer.trailers['x-druid-response-complete']).toBe('true');
    });

    test('knows nothing to cancel under another id', async () => {
      const { broker } = await nodes();
      expect((await ask('DELETE', `${broker}/druid/v2/sql/${crypto.randomUUID()}`)).status).toBe(404);
    });

    test('has connections of JDBC, and an error for those that it does not have', async () => {
      const { broker } = await nodes();
      const connectionId = crypto.randomUUID();
      const avatica = (body: object): Promise<Answer> => ask('POST', `${broker}/druid/v2/sql/avatica/`, body);
      const statement = { request: 'createStatement', connectionId };
      const unknown = await avatica(statement);
      expect(unknown.status).toBe(500);
      expect(JSON.parse(unknown.body)).toMatchObject({ response: 'error', errorCode: 1 });
      expect(unknown.body).toContain('NoSuchConnectionException');
      const closed = await avatica({ request: 'closeStatement', connectionId, statementId: 1 });
      expect(closed.status).toBe(200);
      for (const request of ['closeConnection', 'databaseProperties', 'commit', 'rollback']) {
        expect([request, (await avatica({ request, connectionId })).status]).toEqual([request, 200]);
      }
      const open = { request: 'openConnection', connectionId, info: {} };
      expect((await avatica(open)).status).toBe(200);
      const again = await avatica(open);
      expect([again.status, JSON.parse(again.body)]).toMatchObject([500, { errorCode: -1 }]);
      expect(JSON.parse((await avatica(statement)).body)).toMatchObject({ response: 'createStatement' });
      expect((await avatica({ request: 'closeConnection', connectionId })).status).toBe(200);
    });
  });
}
