import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createOriginRefusal } from '../../../../src/discovery/allowed-origins.ts';
import { parseAnnouncement } from '../../../../src/discovery/announcement.ts';
import { parseLatch } from '../../../../src/discovery/zookeeper/latch.ts';
import { PacketReader } from '../../../../src/discovery/zookeeper/packet-reader.ts';
import { formatServer, parseConnectString } from '../../../../src/net/connect-string.ts';
import { createBackoff } from '../../../../src/time/backoff.ts';

describe('a latch', () => {
  const uuid = fc.uuid();
  const children = fc.uniqueArray(fc.tuple(uuid, fc.integer({ min: 0, max: 2 ** 31 - 1 })), {
    selector: ([, sequence]) => sequence,
    minLength: 1,
    maxLength: 8,
  });

  test('is led by the lowest sequence, whatever the names begin with', () => {
    fc.assert(
      fc.property(children, (named) => {
        const listing = new Map(
          named.map(([id, sequence]) => [
            `_c_${id}-latch-${String(sequence).padStart(10, '0')}`,
            Buffer.from(`http://h${sequence}:8081`),
          ]),
        );
        const { participants } = parseLatch(listing);
        const order = named.map(([, sequence]) => sequence).toSorted((a, b) => a - b);
        expect(participants).toEqual(
          order.map((sequence) => ({ sequence, origin: `http://h${sequence}:8081` })),
        );
      }),
    );
  });

  test('counts from the last "latch-" of a name', () => {
    const { participants } = parseLatch(
      new Map([
        ['_c_x-latch-0000000009-latch-0000000001', Buffer.from('http://b:1')],
        ['_c_a-latch-0000000002', Buffer.from('http://a:1')],
      ]),
    );
    expect(participants.map(({ origin }) => origin)).toEqual(['http://b:1', 'http://a:1']);
  });

  test.each([
    ['', null],
    ['http://druid-1:8081', 'http://druid-1:8081'],
    ['https://druid-1:8281/', 'https://druid-1:8281'],
    ['http://[fd00::1]:8081', 'http://[fd00::1]:8081'],
    ['http://druid-1', 'http://druid-1:80'],
    ['druid-1:8081', null],
    ['ftp://druid-1:21', null],
    ['http://user:password@druid-1:8081', null],
    ['\u0000\u0001', null],
    ['http://druid-1:8081/../x', null],
    ['http://druid-1:8081?x', null],
    ['http://druid-1:8081#x', null],
    ['http://0x7f.1:8081', null],
    ['http://2130706433', null],
    ['http://[fe80::1%eth0]:8081', null],
    ['http://[::1].evil.example:8081', null],
    ['http://a\u202eb:8081', null],
  ])('with the data %j names %j', (data, origin) => {
    const { participants } = parseLatch(new Map([['_c_x-latch-0000000003', Buffer.from(data)]]));
    expect(participants).toEqual([{ sequence: 3, origin }]);
  });

  test('data that is kept from us is a leader without a name', () => {
    const { participants } = parseLatch(
      new Map<string, Buffer | 'refused'>([
        ['_c_x-latch-0000000001', 'refused'],
        ['_c_y-latch-0000000002', Buffer.from('http://b:1')],
      ]),
    );
    expect(participants[0]).toEqual({ sequence: 1, origin: null });
  });
});

test.each([
  ['64,000 slashes', `http://a:8081${'/'.repeat(64_000)}x`],
  ['a million slashes', '/'.repeat(1_000_000)],
  ['blanks', `${' '.repeat(500_000)}x`],
  ['a long host', `http://${'xn--ü'.repeat(200_000)}:1`],
])('a latch of %s is read in no time, and names nobody', (_, data) => {
  const began = performance.now();
  const { participants } = parseLatch(new Map([['latch-1', Buffer.from(data)]]));
  expect(participants).toEqual([{ sequence: 1, origin: null }]);
  expect(performance.now() - began).toBeLessThan(500);
});

test('slashes at the end of a latch are no part of the name, as long as it is one', () => {
  const originOf = (data: string): string | null | undefined =>
    parseLatch(new Map([['latch-1', Buffer.from(data)]])).participants[0]?.origin;
  expect(originOf(' http://a:8081/// ')).toBe('http://a:8081');
  expect(originOf(`http://a:8081${'/'.repeat(1024 - 13)}`)).toBe('http://a:8081');
  expect(originOf(`http://a:8081${'/'.repeat(1025 - 13)}`)).toBeNull();
  expect(originOf('///')).toBeNull();
});

test('of a latch with very many children the first thousand in line are known', () => {
  const children = Array.from({ length: 10_000 }, (_, i) => {
    const data: [string, Buffer] = [`latch-${String(i).padStart(10, '0')}`, Buffer.from(`http://a:${i + 1}`)];
    return data;
  });
  const { participants } = parseLatch(new Map(children.toReversed()));
  expect(participants).toHaveLength(1_000);
  expect([participants[0]?.sequence, participants.at(-1)?.sequence]).toEqual([0, 999]);
});

test('what a latch names and should not has a line for each, and leads all the same', () => {
  const refusal = createOriginRefusal({ networks: ['10.0.0.0/8'], names: [], httpsOnly: false });
  const faults: string[] = [];
  const children: [string, Buffer | 'refused'][] = [
    ['latch-1', Buffer.from('http://169.254.169.254:80')],
    ['latch-2', Buffer.from('file:///etc/passwd')],
    ['latch-3', Buffer.alloc(2_000, 'x')],
    ['latch-4', Buffer.from('http://10.0.0.1:8081')],
    ['latch-5', Buffer.alloc(0)],
    ['latch-6', 'refused'],
  ];
  const { participants } = parseLatch(new Map(children), refusal, (name, why) =>
    faults.push(`${name} ${why}`),
  );
  expect(participants.map(({ origin }) => origin)).toEqual([
    ...[null, null, null, 'http://10.0.0.1:8081', null, null],
  ]);
  expect(faults).toEqual([
    'latch-1 names a node that has an address outside of discovery.allow.networks',
    'latch-2 names no node by a URL',
    'latch-3 names no node by a URL',
  ]);
});

describe('what discovery may name', () => {
  const all = { networks: [] as string[], names: [] as string[], httpsOnly: false };

  test('is anything by default', () => {
    const refusal = createOriginRefusal(all);
    for (const origin of ['http://a:1', 'http://169.254.169.254:80', 'http://[::1]:80']) {
      expect(refusal(origin)).toBeNull();
    }
  });

  test.each([
    ['http://10.255.0.1:80', null],
    ['http://192.168.1.7:80', null],
    ['http://[fd00::1]:80', null],
    ['http://druid-1.internal:80', null],
    ['http://DRUID-1.internal.:80', null],
    ['http://a.b.druid.example:80', null],
    ['http://11.0.0.1:80', 'has an address outside of discovery.allow.networks'],
    ['http://192.168.1.8:80', 'has an address outside of discovery.allow.networks'],
    ['http://[::1]:80', 'has an address outside of discovery.allow.networks'],
    ['http://[::ffff:11.0.0.1]:80', 'has an address outside of discovery.allow.networks'],
    ['http://druid-2.internal:80', 'has a name outside of discovery.allow.names'],
    ['http://xdruid.example:80', 'has a name outside of discovery.allow.names'],
    ['http://druid.example:80', 'has a name outside of discovery.allow.names'],
    ['http://a.druid.example.evil:80', 'has a name outside of discovery.allow.names'],
    ['http://localhost:80', 'has a name outside of discovery.allow.names'],
  ])('is what networks and names hold: %s', (origin, why) => {
    const networks = ['10.0.0.0/8', '192.168.1.7', 'fd00::/8'];
    const refusal = createOriginRefusal({
      ...all,
      networks,
      names: ['druid-1.internal', '.Druid.example'],
    });
    expect(refusal(origin)).toBe(why);
  });

  test('is no name where only networks are given, and no address where only names are', () => {
    expect(createOriginRefusal({ ...all, networks: ['0.0.0.0/0'] })('http://a:1')).toContain('names');
    expect(createOriginRefusal({ ...all, names: ['.a'] })('http://10.0.0.1:1')).toContain('networks');
  });

  test('is only https where that is asked for', () => {
    const refusal = createOriginRefusal({ ...all, httpsOnly: true });
    expect(refusal('https://a:1')).toBeNull();
    expect(refusal('http://a:1')).toBe('is not https (discovery.allow.httpsOnly)');
  });
});

describe('an announcement', () => {
  const druidNode = {
    service: 'druid/broker',
    host: 'broker-1.example',
    plaintextPort: 8082,
    port: -1,
    tlsPort: -1,
    enablePlaintextPort: true,
    enableTlsPort: false,
  };
  const json = (node: object, nodeType = 'broker'): Buffer =>
    Buffer.from(JSON.stringify({ druidNode: { ...druidNode, ...node }, nodeType, services: {} }));
  const origin = (data: Buffer): string | null => {
    const parsed = parseAnnouncement('broker', data);
    return parsed.kind === 'announcement' ? parsed.announcement.origin : null;
  };

  test('is read as gzip and as plain text', () => {
    expect(origin(json({}))).toBe('http://broker-1.example:8082');
    expect(origin(gzipSync(json({})))).toBe('http://broker-1.example:8082');
  });

  test.each([
    [{ enableTlsPort: true, tlsPort: 8282 }, 'https://broker-1.example:8282'],
    [{ enableTlsPort: true, tlsPort: 8282, enablePlaintextPort: false }, 'https://broker-1.example:8282'],
    [{ host: 'fd00::1' }, 'http://[fd00::1]:8082'],
    [{ enablePlaintextPort: undefined, enableTlsPort: undefined }, 'http://broker-1.example:8082'],
    [{ plaintextPort: -1 }, null],
    [{ host: '' }, null],
    [{ host: 'a b' }, null],
    [{ host: 'a/../b' }, null],
    [{ host: 'a?x' }, null],
    [{ host: 'a#x' }, null],
    [{ host: 'user@a' }, null],
    [{ host: 'a\\b' }, null],
    [{ host: '%61' }, null],
    [{ host: '0x7f.1' }, null],
    [{ host: '0x7f000001' }, null],
    [{ host: '2130706433' }, null],
    [{ host: '127.1' }, null],
    [{ host: '0177.0.0.1' }, null],
    [{ host: '1.2.3.4.' }, null],
    [{ host: 'a.0x10' }, null],
    [{ host: 'a.1' }, null],
    [{ host: '１２７.0.0.1' }, null],
    [{ host: 'a。b' }, null],
    [{ host: 'ä' }, null],
    [{ host: 'a\u202eb' }, null],
    [{ host: 'a"b' }, null],
    [{ host: 'a..b' }, null],
    [{ host: '-a' }, null],
    [{ host: 'a:80' }, null],
    [{ host: 'fe80::1%eth0' }, null],
    [{ host: '[fd00::1]' }, 'http://[fd00::1]:8082'],
    [{ host: '127.0.0.1' }, 'http://127.0.0.1:8082'],
    [{ host: 'Druid_1.Internal.' }, 'http://druid_1.internal:8082'],
    [{ service: 'druid\u001bbroker' }, null],
    [{ service: 'druid\u202ebroker' }, null],
    [{ service: 'druid\u2028broker' }, null],
    [{ service: 'druid\ud800broker' }, null],
    [{ service: 'Drüid: broker' }, 'http://broker-1.example:8082'],
    [{ host: 'a'.repeat(255) }, `http://${'a'.repeat(255)}:8082`],
    [{ host: 'a'.repeat(256) }, null],
    [{ service: 's'.repeat(256) }, null],
    [{ service: undefined }, null],
    [{ unknown: { new: 'field' } }, 'http://broker-1.example:8082'],
  ])('%j is %s', (node, expected) => {
    expect(origin(json(node))).toBe(expected);
  });

  test('of another role than its folder is passed over in silence', () => {
    expect(parseAnnouncement('broker', json({}, 'historical'))).toEqual({ kind: 'ignored' });
  });

  test('of any bytes at all is a fault or passed over, never an exception', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data));
    const any = fc.oneof(
      bytes,
      bytes.map((data) => gzipSync(data)),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(any, (data) => {
        expect(parseAnnouncement('broker', data).kind).not.toBe('announcement');
      }),
    );
  });

  test.each([
    ['plain', (data: Buffer) => data],
    ['gzip', (data: Buffer) => gzipSync(data)],
  ])('that is far longer than any real one is a fault, %s', (_, written) => {
    const began = performance.now();
    for (const more of [{ host: `xn--${'ü'.repeat(400_000)}` }, { more: Array(300_000).fill({}) }]) {
      expect(parseAnnouncement('broker', written(json(more))).kind).toBe('fault');
    }
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(origin(written(json({ more: 'x'.repeat(15 * 1024) })))).toBe('http://broker-1.example:8082');
  });

  test('does not unpack without bounds', () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, ' '));
    expect(parseAnnouncement('broker', bomb).kind).toBe('fault');
  });
});

describe('a connect string', () => {
  test.each([
    ['localhost', ['localhost:2181'], null],
    ['zk1:2181,zk2:2182/druid', ['zk1:2181', 'zk2:2182'], '/druid'],
    [' zk1:2181 , zk2:2181 ', ['zk1:2181', 'zk2:2181'], null],
    ['[::1]:2181,[fd00::1]', ['[::1]:2181', '[fd00::1]:2181'], null],
    ['zk1:2181/', ['zk1:2181'], null],
    ['zk1:2181/a/b', ['zk1:2181'], '/a/b'],
  ])('%s', (text, servers, chroot) => {
    const parsed = parseConnectString(text);
    expect([parsed.servers.map(formatServer), parsed.chroot]).toEqual([servers, chroot]);
  });

  test.each([
    ['', 'names no server'],
    ['/druid', 'names no server'],
    ['zk1:0', 'no valid port'],
    ['zk1:99999', 'no valid port'],
    ['::1:2181', 'needs brackets'],
    ['[nonsense]:2181', 'no IPv6 address'],
    ['zk 1:2181', 'no valid host name'],
    ['zk1:2181/a//b', 'empty name'],
    ['zk1:2181/a/', 'ends with a slash'],
    ['zk1:2181/a/../b', '"." or ".."'],
  ])('%j is refused', (text, why) => {
    expect(() => parseConnectString(text)).toThrow(why);
  });

  test('with credentials is refused without repeating them', () => {
    expect(() => parseConnectString('user:secret@zk1:2181')).toThrow(/^(?!.*secret).*credentials/);
  });
});

describe('the packet reader', () => {
  test('finds the same packets however the stream is cut', () => {
    const packets = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(packets, fc.array(fc.integer({ min: 1, max: 30 })), (contents, cuts) => {
        const wire = Buffer.concat(
          contents.map((content) => {
            const packet = Buffer.alloc(4 + content.length);
            packet.writeInt32BE(content.length);
            packet.set(content, 4);
            return packet;
          }),
        );
        const reader = new PacketReader();
        const found: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, wire.length]) {
          found.push(...reader.push(wire.subarray(at, at + cut)));
          at += cut;
        }
        found.push(...reader.push(wire.subarray(at)));
        expect(found.map((packet) => [...packet.subarray(4)])).toEqual(contents.map((c) => [...c]));
      }),
    );
  });

  test('refuses lengths that cannot be meant', () => {
    expect(() => new PacketReader().push(Buffer.from('HTTP/1.1'))).toThrow('no ZooKeeper server');
    expect(() => new PacketReader().push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow();
  });
});

test('the backoff tries every server once, then slows down, and forgets after a good connection', () => {
  const backoff = createBackoff({ servers: 3, random: () => 0.5 });
  const delays: number[] = [];
  for (let i = 0; i < 10; i++) {
    delays.push(backoff.delay());
    backoff.ended(0);
  }
  expect(delays).toEqual([0, 0, 0, 75, 150, 300, 600, 1_200, 1_500, 1_500]);
  backoff.ended(100);
  expect(backoff.delay()).toBe(1_500);
  backoff.ended(60_000);
  expect(backoff.delay()).toBe(0);
});

describe('the labels of a node (Druid 36)', () => {
  const read = (labels: unknown): unknown => {
    const druidNode = { service: 'druid/broker', host: 'a', plaintextPort: 8082, labels };
    const parsed = parseAnnouncement(
      'broker',
      Buffer.from(JSON.stringify({ nodeType: 'broker', druidNode })),
    );
    return parsed.kind === 'announcement' ? parsed.announcement.labels : parsed;
  };

  test('are kept, whatever their names are', () => {
    const labels = JSON.parse('{"zone":"a","__proto__":"b","constructor":"c"}') as object;
    expect(read(labels)).toEqual([
      ['zone', 'a'],
      ['__proto__', 'b'],
      ['constructor', 'c'],
    ]);
  });

  test('are none where they are nothing, no texts, or too long, and 32 at most', () => {
    for (const labels of [undefined, null, {}, [], 'x', 7, { a: 1 }, { a: '' }, { a: 'x'.repeat(256) }]) {
      expect(read(labels)).toBeUndefined();
    }
    expect(read(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, 'v'])))).toHaveLength(32);
  });
});
