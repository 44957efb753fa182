import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  linesOf,
  planBrokers,
  planLeader,
  serverName,
  type WantedServer,
} from '../../../../src/feeds/haproxy/plan.ts';
import { parseServers, type ServerState } from '../../../../src/feeds/haproxy/servers.ts';
import { HaproxyModel } from './model.ts';

const STATES: ServerState[] = ['ready', 'drain', 'maint'];
const place = fc.record({
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '::1'),
  port: fc.constantFrom(1, 8081),
});
const wantedBrokers: fc.Arbitrary<WantedServer[]> = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a:1', 'b:1', 'c:1', '[::1]:1').map(serverName),
    address: fc.option(fc.constantFrom('10.0.0.1', '10.0.0.2', '::1'), { nil: null, freq: 5 }),
    port: fc.constantFrom(1, 2),
    weight: fc.integer({ min: 1, max: 100 }),
    state: fc.constantFrom(...STATES),
  }),
  { selector: ({ name }) => name },
);

/** Writes a plan to the model, line by line. */
function write(model: HaproxyModel, commands: string[]): void {
  for (const line of linesOf(commands)) expect(model.take(line)).not.toMatch(/No such|Unknown|Already|Only/);
}

test('from wherever HAProxy is, one plan brings about the leader, and the next one changes nothing', () => {
  const slots = fc.array(fc.tuple(place, fc.constantFrom(...STATES)), { minLength: 2, maxLength: 3 });
  fc.assert(
    fc.property(slots, fc.array(fc.option(place), { minLength: 1 }), (begun, leaders) => {
      const model = new HaproxyModel();
      model.configure('c', ...begun.map((_, i) => `leader${i + 1}`), 'gateway');
      for (const [i, [{ address, port }, state]] of begun.entries()) {
        model.take(
          `set server c/leader${i + 1} addr ${address} port ${port}; set server c/leader${i + 1} state ${state}`,
        );
      }
      model.take('set server c/gateway state ready');
      for (const leader of leaders) {
        write(model, planLeader('c', model.servers('c'), leader));
        const ready = model.servers('c').filter(({ name, state }) => name !== 'gateway' && state !== 'maint');
        expect(ready.map(({ address, port }) => ({ address, port }))).toEqual(
          leader === null ? [] : [leader],
        );
        expect(model.servers('c').at(-1)).toMatchObject({ name: 'gateway', state: 'ready' });
        expect(planLeader('c', model.servers('c'), leader)).toEqual([]);
      }
    }),
  );
});

test('a swap is one line: the new leader is ready before the former one is out, whose sessions are cut', () => {
  const model = new HaproxyModel();
  model.configure('c', 'leader1', 'leader2');
  write(model, planLeader('c', model.servers('c'), { address: '10.0.0.1', port: 8081 }));
  expect(linesOf(planLeader('c', model.servers('c'), { address: '10.0.0.2', port: 8081 }))).toEqual([
    'set server c/leader2 addr 10.0.0.2 port 8081; set server c/leader2 state ready; ' +
      'set server c/leader1 state maint; shutdown sessions server c/leader1',
  ]);
});

test('a leader that stops serving for a moment loses no session, and comes back to its slot', () => {
  const model = new HaproxyModel();
  model.configure('c', 'leader1', 'leader2');
  const leader = { address: '10.0.0.1', port: 8081 };
  write(model, planLeader('c', model.servers('c'), leader));
  model.cut.length = 0;
  expect(planLeader('c', model.servers('c'), null)).toEqual(['set server c/leader1 state maint']);
  write(model, planLeader('c', model.servers('c'), null));
  expect(planLeader('c', model.servers('c'), leader)).toEqual(['set server c/leader1 state ready']);
  expect(model.cut).toEqual([]);
});

test('a backend without two slots is an error that says what to do', () => {
  const model = new HaproxyModel();
  model.configure('c', 'leader1', 'other');
  expect(() => planLeader('c', model.servers('c'), null)).toThrow(
    'backend c has no servers leader1 and leader2',
  );
});

test('from wherever HAProxy is, plans bring about the Brokers, and what is not ours is left alone', () => {
  fc.assert(
    fc.property(fc.array(wantedBrokers, { minLength: 1, maxLength: 5 }), (steps) => {
      const model = new HaproxyModel();
      model.configure('b', 'gateway');
      for (const wanted of steps) {
        write(model, planBrokers('b', model.servers('b'), wanted, ''));
        // Deletions follow once a server is in maintenance.
        write(model, planBrokers('b', model.servers('b'), wanted, ''));
        expect(planBrokers('b', model.servers('b'), wanted, '')).toEqual([]);
        const [gateway, ...servers] = model.servers('b');
        expect(gateway).toMatchObject({ name: 'gateway', state: 'maint' });
        const names = new Set(wanted.map(({ name }) => name));
        for (const { name } of servers) expect(names).toContain(name);
        for (const { name, address, weight, state } of wanted) {
          const server = servers.find((one) => one.name === name);
          if (state !== 'maint' && address !== null) expect(server).toMatchObject({ address, weight, state });
          // Whose name cannot be resolved keeps the address that it had.
          else if (server !== undefined) expect(server).toMatchObject({ state });
        }
      }
    }),
  );
});

test('a new Broker has its weight and its options from the beginning, and its checks run', () => {
  const wanted: WantedServer = {
    name: 'druid_b:1',
    address: '10.0.0.1',
    port: 1,
    weight: 10,
    state: 'ready',
  };
  expect(planBrokers('b', [], [wanted], 'check inter 2s')).toEqual([
    'add server b/druid_b:1 10.0.0.1:1 weight 10 check inter 2s',
    'enable health b/druid_b:1',
    'set server b/druid_b:1 state ready',
  ]);
});

test('a Broker that is gone gets nothing at once, and is deleted when nothing is connected to it', () => {
  const model = new HaproxyModel();
  model.configure('b');
  const wanted: WantedServer = {
    name: 'druid_b:1',
    address: '10.0.0.1',
    port: 1,
    weight: 100,
    state: 'ready',
  };
  write(model, planBrokers('b', model.servers('b'), [wanted], ''));
  model.busy.add('b/druid_b:1');
  write(model, planBrokers('b', model.servers('b'), [], ''));
  write(model, planBrokers('b', model.servers('b'), [], ''));
  expect(model.servers('b')).toMatchObject([{ state: 'maint' }]);
  model.busy.clear();
  write(model, planBrokers('b', model.servers('b'), [], ''));
  expect(model.servers('b')).toEqual([]);
});

test('names of servers have what HAProxy allows in them', () => {
  expect(['10.0.0.1:8082', '[::1]:8082', 'b-1.x_y:1', 'a/b;c d'].map(serverName)).toEqual([
    'druid_10.0.0.1:8082',
    'druid__::1_:8082',
    'druid_b-1.x_y:1',
    'druid_a_b_c_d',
  ]);
});

test('lines of many commands fit into what HAProxy reads at once, and lose none', () => {
  const commands = Array.from(
    { length: 1_000 },
    (_, i) => `set server b/druid_broker-${i}.example.com:8082 state ready`,
  );
  const lines = linesOf(commands);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(16_384 - 1_024);
  expect(lines.flatMap((line) => line.split('; '))).toEqual(commands);
  expect(linesOf([])).toEqual([]);
});

test('states are read by the names of the columns, whatever comes after them', () => {
  const answer = [
    '1',
    '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_port later',
    '4 b 1 one 10.0.0.1 2 0 100 8082 x',
    '4 b 2 two 10.0.0.2 0 5 1 8082 x',
    '4 b 3 three 10.0.0.3 2 12 50 8082 x',
    '4 b 4 four - 0 32 1 8082 x',
    '',
    '',
  ].join('\n');
  expect(parseServers(answer)).toEqual([
    { name: 'one', address: '10.0.0.1', port: 8082, weight: 100, state: 'ready' },
    { name: 'two', address: '10.0.0.2', port: 8082, weight: 1, state: 'maint' },
    { name: 'three', address: '10.0.0.3', port: 8082, weight: 50, state: 'drain' },
    { name: 'four', address: '-', port: 8082, weight: 1, state: 'maint' },
  ]);
});

test('anything else is an error with what HAProxy says', () => {
  expect(() => parseServers("Can't find backend.\n\n")).toThrow("HAProxy says: Can't find backend.");
  expect(() => parseServers('')).toThrow('HAProxy says: nothing');
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseServers(text);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
