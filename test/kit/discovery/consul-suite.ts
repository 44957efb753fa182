import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type ConsulDiscoveryOptions,
  createConsulDiscovery,
} from '../../../src/discovery/consul/discovery.ts';
import type { Discovery, MasterRole } from '../../../src/discovery/discovery.ts';
import type { ApiTarget } from '../../../src/discovery/http-api.ts';
import { recordErrors } from '../gateway/recorded-errors.ts';
import { nodeInfo } from '../kubernetes/druid-pods.ts';
import { hostsOf, leaderOf, type SourceRig, termOf, until } from './source-suite.ts';

/** What is registered, locked and written at Consul, as Druid does it. */
export interface ConsulWriter {
  register(
    name: string,
    id: string,
    meta: Readonly<Record<string, string>>,
    passing?: boolean,
  ): void | Promise<void>;
  deregister(id: string): void | Promise<void>;
  putKey(key: string, value: string): void | Promise<void>;
  deleteKey(key: string): void | Promise<void>;
  /** A session whose keys go with it. */
  openSession(name: string): Promise<string>;
  /** Whether the session has the key now. */
  lock(key: string, value: string, session: string): Promise<boolean>;
  endSession(session: string): Promise<void>;
}

/** Consul, real or fake, with a prefix of its own and a token that has the documented rights. */
export interface ConsulRig extends SourceRig {
  readonly prefix: string;
  readonly leaderKeys: Readonly<Record<MasterRole, string>>;
  /** Writes without the link that `stop` and `cut` are about. */
  readonly writer: ConsulWriter;
  readonly target: ApiTarget & { readonly tokenFile: string };
  /** A token with these of the documented rights alone; `nobody` for one that Consul does not know. */
  token(rights: readonly ('services' | 'keys')[] | 'nobody'): Promise<string>;
  /** Consul is lost with all that it knew, and comes back with low indexes. */
  lose(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly index: number;
  readonly text: string;
  /** How long it took, in ms. */
  readonly ms: number;
}

/** What both a real agent of Consul and the fake one do, as far as the gateway depends on it. */
export function testConsul(name: string, start: () => Promise<ConsulRig>): void {
  describe(name, () => {
    let rig: ConsulRig;
    let errors: ReturnType<typeof recordErrors>;
    let brokers: string;
    const open: Discovery[] = [];

    beforeEach(async () => {
      rig = await start();
      errors = recordErrors();
      brokers = `${rig.prefix}-broker`;
    });

    afterEach(async () => {
      await Promise.all(open.splice(0).map((discovery) => discovery.close()));
      await rig.close();
      expect(errors.lines).toEqual([]);
    });

    function discover(options: Partial<ConsulDiscoveryOptions> = {}): Discovery {
      const discovery = createConsulDiscovery({
        ...rig.target,
        servicePrefix: rig.prefix,
        leaderKeys: rig.leaderKeys,
        maxDelayMs: 20,
        requestMs: 5_000,
        errors,
        ...options,
      });
      open.push(discovery);
      discovery.start();
      return discovery;
    }

    const connected = (discovery: Discovery) => (): boolean =>
      discovery.snapshot.complete && discovery.status.state === 'connected';

    async function get(path: string, token?: string | null): Promise<Answer> {
      const sent = token === undefined ? await readFile(rig.target.tokenFile, 'utf8') : token;
      const began = performance.now();
      const { statusCode, headers, body } = await request(rig.target.server + path, {
        headers: sent === null ? {} : { authorization: `Bearer ${sent}` },
      });
      const text = await body.text();
      const index = Number(headers['x-consul-index'] ?? 0);
      return { status: statusCode, headers, index, text, ms: performance.now() - began };
    }

    async function announce(host: string): Promise<void> {
      const id = `${brokers}-${host}-8082`;
      await rig.writer.putKey(`${rig.prefix}/nodes/${id}`, nodeInfo('broker', host, 8082));
      await rig.writer.register(brokers, id, { druid_node_kv: `${rig.prefix}/nodes/${id}` });
    }

    async function elect(origin: string): Promise<string> {
      const session = await rig.writer.openSession(`druid-leader-${origin}`);
      expect(await rig.writer.lock(rig.leaderKeys.coordinator, origin, session)).toBe(true);
      return session;
    }

    describe('as it answers', () => {
      test('tells passing services with their metadata, and an index of at least 1 where there are none', async () => {
        const path = `/v1/health/service/${brokers}?passing=true`;
        const none = await get(path);
        expect([none.status, JSON.parse(none.text)]).toEqual([200, []]);
        expect(none.headers['x-consul-knownleader']).toBe('true');
        expect(none.index).toBeGreaterThanOrEqual(1);
        await rig.writer.register(brokers, 'b1', { druid_node: 'x' });
        await rig.writer.register(brokers, 'b2', {}, false);
        const some = await get(path);
        expect(JSON.parse(some.text)).toMatchObject([{ Service: { ID: 'b1', Meta: { druid_node: 'x' } } }]);
        expect(some.index).toBeGreaterThan(none.index);
      });

      test('holds an answer until something changes, or its time is over, and then tells the same', async () => {
        await rig.writer.register(brokers, 'b1', {});
        const path = `/v1/health/service/${brokers}?passing=true`;
        const { index } = await get(path);
        const same = await get(`${path}&index=${index}&wait=1s`);
        expect([same.index, same.status]).toEqual([index, 200]);
        expect(same.ms).toBeGreaterThanOrEqual(990);
        const held = get(`${path}&index=${index}&wait=60s`);
        await rig.writer.register(brokers, 'b2', {});
        expect((await held).index).toBeGreaterThan(index);
        // It is no proof of a change: a service and its check may come one after the other.
        let changed = await held;
        while (JSON.parse(changed.text).length < 2)
          changed = await get(`${path}&index=${changed.index}&wait=60s`);
        // Who knows of changes that Consul does not know waits for the next one in vain.
        const ahead = await get(`${path}&index=${changed.index + 1_000}&wait=1s`);
        expect(ahead.index).toBe(changed.index);
        expect(ahead.ms).toBeGreaterThanOrEqual(990);
      });

      test('answers for a key that is not there with 404 and an index, and holds that until it is made', async () => {
        const path = `/v1/kv/${rig.leaderKeys.coordinator}`;
        const none = await get(path);
        expect([none.status, none.text]).toEqual([404, '']);
        expect(none.index).toBeGreaterThanOrEqual(1);
        const held = get(`${path}?index=${none.index}&wait=60s`);
        await elect('http://c1:8081');
        const made = await held;
        expect(made.status).toBe(200);
        expect(made.index).toBeGreaterThan(none.index);
      });

      test('makes the key of an election anew with each session, and lets it go with it at once', async () => {
        const key = async () => JSON.parse((await get(`/v1/kv/${rig.leaderKeys.coordinator}`)).text)[0];
        const first = await elect('http://c1:8081');
        const one = await key();
        expect(one).toMatchObject({
          LockIndex: 1,
          Key: rig.leaderKeys.coordinator,
          Value: Buffer.from('http://c1:8081').toString('base64'),
          Session: first,
        });
        const other = await rig.writer.openSession('other');
        expect(await rig.writer.lock(rig.leaderKeys.coordinator, 'http://c2:8081', other)).toBe(false);
        // Its holder takes it again: nothing changes.
        expect(await rig.writer.lock(rig.leaderKeys.coordinator, 'http://c1:8081', first)).toBe(true);
        expect(await key()).toEqual(one);
        const held = get(`/v1/kv/${rig.leaderKeys.coordinator}?index=${one.ModifyIndex}&wait=60s`);
        await rig.writer.endSession(first);
        expect((await held).status).toBe(404);
        expect(await rig.writer.lock(rig.leaderKeys.coordinator, 'http://c2:8081', other)).toBe(true);
        const two = await key();
        expect(two).toMatchObject({ LockIndex: 1, Session: other });
        expect(two.CreateIndex).toBeGreaterThan(one.CreateIndex);
      });

      test('tells a key that nobody holds without a session, and its bare value where that is asked for', async () => {
        await rig.writer.putKey(rig.leaderKeys.coordinator, 'http://c1:8081');
        const [entry] = JSON.parse((await get(`/v1/kv/${rig.leaderKeys.coordinator}`)).text);
        expect(entry).toMatchObject({ LockIndex: 0, Flags: 0 });
        expect(entry.Session).toBe(undefined);
        expect((await get(`/v1/kv/${rig.leaderKeys.coordinator}?raw=true`)).text).toBe('http://c1:8081');
      });

      test('refuses keys in plain text, and keeps services back without a word but for a header', async () => {
        await announce('10.0.0.1');
        const key = `/v1/kv/${rig.leaderKeys.coordinator}`;
        const services = `/v1/health/service/${brokers}?passing=true`;
        const nobody = await rig.token('nobody');
        for (const path of [key, services]) {
          expect(await get(path, nobody)).toMatchObject({ status: 403, text: 'ACL not found' });
        }
        const without = await get(key, await rig.token(['services']));
        expect(without.status).toBe(403);
        expect(without.text).toMatch(
          /^Permission denied: token with AccessorID '[0-9a-f-]+' lacks permission 'key:read' on "[^"]+"$/,
        );
        const header = 'x-consul-results-filtered-by-acls';
        const none = await get(services, await rig.token(['keys']));
        expect([none.status, JSON.parse(none.text), none.headers[header]]).toEqual([200, [], 'true']);
        const anonymous = await get(services, null);
        expect([anonymous.status, JSON.parse(anonymous.text)]).toEqual([200, []]);
        expect(anonymous.headers[header]).toBe(undefined);
        expect((await get(services)).headers[header]).toBe(undefined);
      });
    });

    describe('as a source', () => {
      test('has nodes by keys and by metadata, of services that pass alone', async () => {
        await announce('10.0.0.1');
        const druidNode = nodeInfo('broker', '10.0.0.2', 8082);
        await rig.writer.register(brokers, 'b2', { druid_node: druidNode });
        await rig.writer.register(brokers, 'b3', { druid_node: nodeInfo('broker', '10.0.0.3', 8082) }, false);
        const discovery = discover();
        await until(discovery, connected(discovery));
        expect(hostsOf(discovery)).toEqual(['10.0.0.1:8082', '10.0.0.2:8082']);
        await rig.writer.register(brokers, 'b2', { druid_node: druidNode }, false);
        await until(discovery, () => hostsOf(discovery).length === 1);
      });

      test('has a leader while a session holds the key, and another term with each', async () => {
        const first = await elect('http://c1:8081');
        const discovery = discover();
        await until(discovery, () => connected(discovery)() && leaderOf(discovery) === 'http://c1:8081');
        const term = termOf(discovery) ?? 0;
        let heard = 0;
        discovery.on('snapshot', () => heard++);
        await rig.writer.lock(rig.leaderKeys.coordinator, 'http://c1:8081', first);
        await rig.writer.endSession(first);
        await until(discovery, () => leaderOf(discovery) === null);
        expect(heard).toBe(1);
        await elect('http://c1:8081');
        await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
        expect(termOf(discovery)).toBeGreaterThan(term);
      });

      test('that is lost and comes back with lower indexes is read anew', async () => {
        for (const host of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) await announce(host);
        await elect('http://c1:8081');
        const discovery = discover({ waitS: 60 });
        await until(discovery, connected(discovery));
        const term = termOf(discovery) ?? 0;
        // All questions are there, with the indexes of before.
        await rig.held();
        await rig.lose();
        await announce('10.0.0.4');
        await elect('http://c2:8081');
        await until(
          discovery,
          () =>
            connected(discovery)() &&
            hostsOf(discovery)[0] === '10.0.0.4:8082' &&
            leaderOf(discovery) === 'http://c2:8081',
        );
        expect(termOf(discovery)).toBeLessThan(term);
        // With an index of before, nobody would hear of this for a minute.
        await announce('10.0.0.5');
        await until(discovery, () => hostsOf(discovery).length === 2);
      });

      test('with a token that it does not know says so, and is read with one that it knows', async () => {
        await announce('10.0.0.1');
        const good = await readFile(rig.target.tokenFile, 'utf8');
        await writeFile(rig.target.tokenFile, `${await rig.token('nobody')}\n`);
        const discovery = discover();
        await until(discovery, () => discovery.status.detail !== null);
        expect(discovery.status.detail).toContain('Consul answered 403: ACL not found');
        await writeFile(rig.target.tokenFile, good);
        await until(discovery, connected(discovery));
      });

      test('in which we may not read the elections says which key', async () => {
        await writeFile(rig.target.tokenFile, await rig.token(['services']));
        const discovery = discover();
        await until(discovery, () => discovery.status.detail?.includes(rig.leaderKeys.coordinator) === true);
        expect(discovery.status.detail).toContain(
          `lacks permission 'key:read' on "${rig.leaderKeys.coordinator}"`,
        );
        expect(discovery.snapshot.complete).toBe(false);
      });

      test('in which we may not read the services says so, once, although it seems to have none', async () => {
        await announce('10.0.0.1');
        await writeFile(rig.target.tokenFile, await rig.token(['keys']));
        const discovery = discover();
        const faults: string[] = [];
        discovery.on('fault', (fault) => faults.push(fault));
        await until(discovery, connected(discovery));
        expect(hostsOf(discovery)).toEqual([]);
        expect(faults).toEqual([
          `service ${brokers} has nodes that the token may not read (it needs service_prefix and node_prefix read)`,
        ]);
      });
    });
  });
}
