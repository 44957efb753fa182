import { setImmediate } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { Listing, ReadError, Session } from '../../../../src/discovery/zookeeper/session.ts';
import {
  createWatch,
  pause,
  type Watch,
  type WatchOptions,
} from '../../../../src/discovery/zookeeper/watch.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

type Reads = Pick<Session, 'listChildren' | 'childrenVersion' | 'getData' | 'exists'>;

let watch: Watch | null = null;
afterEach(() => watch?.stop());

const listing = (names: readonly string[], changes = 0): Listing => ({
  names,
  version: { created: '1', changes },
});

const SESSION: Reads = {
  listChildren: async () => listing(['a', 'b']),
  childrenVersion: async () => ({ created: '1', changes: 0 }),
  getData: async (path) => Buffer.from(path),
  exists: async () => true,
};

/** Resolves with what was read, when it has been read whole. */
function readBy(options: Partial<WatchOptions<string>>, act: () => void = () => {}): Promise<string[]> {
  return new Promise((resolve) => {
    watch = createWatch<string>({
      session: SESSION,
      path: '/p',
      parse: String,
      onRead: (children) => {
        act();
        resolve([...children.values()]);
      },
      onFault: () => {},
      pauseMs: () => 0,
      errors: recordErrors(),
      ...options,
    });
    watch.refresh();
  });
}

/** Throws the first time only. */
function once(): () => void {
  let first = true;
  return () => {
    if (!first) return;
    first = false;
    throw new Error('thrown on purpose');
  };
}

test('all children are read', async () => {
  expect(await readBy({})).toEqual(['/p/a', '/p/b']);
});

test.each<[string, (trip: () => void) => Partial<WatchOptions<string>>, boolean]>([
  ['what takes the children throws', () => ({}), true],
  [
    'a child cannot be parsed',
    (trip) => ({
      parse: (data) => {
        trip();
        return String(data);
      },
    }),
    false,
  ],
  [
    'the library throws',
    (trip) => ({
      session: {
        ...SESSION,
        listChildren: async () => {
          trip();
          return listing(['a', 'b']);
        },
      },
    }),
    false,
  ],
])('when %s, that is told, and the path is read again', async (_, options, inRead) => {
  const errors = recordErrors();
  const trip = once();
  expect(await readBy({ errors, ...options(trip) }, inRead ? trip : undefined)).toEqual(['/p/a', '/p/b']);
  expect(errors.lines).toMatchObject([{ place: 'discovery', error: 'Error: thrown on purpose' }]);
});

test('when the fault of a read cannot be told, the path is read again all the same', async () => {
  const errors = recordErrors();
  const { ReadError: Failure } = await import('../../../../src/discovery/zookeeper/session.ts');
  let failed: ReadError | null = new Failure(-127, 'throttled');
  const listChildren = async (): Promise<Listing> => {
    const failure = failed;
    failed = null;
    if (failure !== null) throw failure;
    return listing(['a']);
  };
  const onFault = (fault: string): void => {
    throw new Error(fault);
  };
  expect(await readBy({ errors, onFault, session: { ...SESSION, listChildren } })).toEqual(['/p/a']);
  expect(errors.lines[0]?.error).toBe('Error: /p cannot be read: throttled');
});

test('children with names that none can have are passed over', async () => {
  const names = ['', '.', '..', 'x/y', '../a', '\0', '\ud800', '__proto__', 'a'];
  const session = { ...SESSION, listChildren: async () => listing(names) };
  expect(await readBy({ session })).toEqual(['/p/__proto__', '/p/a']);
});

/** A folder as ZooKeeper keeps it, which counts what is asked of it. */
class Folder implements Reads {
  readonly children = new Map<string, string>();
  readonly asked = { lists: 0, versions: 0, data: [] as string[] };
  created = '1';
  changes = 0;
  onEvent: (() => void) | null = null;

  create(name: string, data = name): void {
    this.children.set(name, data);
    this.changes = (this.changes + 1) | 0;
  }

  remove(name: string): void {
    this.children.delete(name);
    this.changes = (this.changes + 1) | 0;
  }

  /** What is asked from here on. */
  forget(): void {
    Object.assign(this.asked, { lists: 0, versions: 0, data: [] });
  }

  async listChildren(_: string, watcher: () => void): Promise<Listing> {
    this.asked.lists++;
    this.onEvent = watcher;
    return { names: [...this.children.keys()], version: await this.version() };
  }

  async childrenVersion(): Promise<Listing['version']> {
    this.asked.versions++;
    return this.version();
  }

  async getData(path: string): Promise<Buffer> {
    const name = path.slice('/p/'.length);
    this.asked.data.push(name);
    return Buffer.from(this.children.get(name) ?? '');
  }

  async exists(): Promise<boolean> {
    return true;
  }

  async version(): Promise<Listing['version']> {
    return { created: this.created, changes: this.changes };
  }
}

/** A watch of the folder; each call reads for the reason it is named after and tells what was read. */
function follow(folder: Folder, pauseMs: WatchOptions<string>['pauseMs'] = () => 0) {
  let read = Promise.withResolvers<ReadonlyMap<string, string>>();
  const following = createWatch<string>({
    session: folder,
    path: '/p',
    parse: String,
    onRead: (children) => read.resolve(new Map(children)),
    onFault: () => {},
    pauseMs,
    errors: recordErrors(),
  });
  watch = following;
  const after = async (act: () => void): Promise<Record<string, string>> => {
    read = Promise.withResolvers();
    folder.forget();
    act();
    const children = await read.promise;
    // The read has ended, too.
    await setImmediate();
    return Object.fromEntries(children);
  };
  return {
    refresh: () => after(following.refresh),
    poll: () => after(following.poll),
    event: () => after(() => folder.onEvent?.()),
  };
}

test('only the data of children that were not there is read', async () => {
  const folder = new Folder();
  for (const name of ['a', 'b', 'c']) folder.create(name);
  const reads = follow(folder);
  await reads.refresh();
  folder.remove('a');
  folder.create('d');
  expect(await reads.event()).toEqual({ b: 'b', c: 'c', d: 'd' });
  expect(folder.asked).toEqual({ lists: 1, versions: 0, data: ['d'] });
});

test('a child that was deleted and created again between two reads is read again', async () => {
  const folder = new Folder();
  for (const name of ['a', 'b']) folder.create(name);
  // The number of changes overflows in between.
  folder.changes = 2 ** 31 - 1;
  const reads = follow(folder);
  await reads.refresh();
  folder.remove('a');
  folder.create('a', 'another');
  expect(await reads.event()).toEqual({ a: 'another', b: 'b' });
  folder.remove('b');
  expect(await reads.event()).toEqual({ a: 'another' });
  expect(folder.asked.data).toEqual([]);
});

test('everything is read again in a folder that was created again', async () => {
  const folder = new Folder();
  folder.create('a');
  const reads = follow(folder);
  await reads.refresh();
  folder.created = '2';
  folder.children.set('a', 'another');
  expect(await reads.refresh()).toEqual({ a: 'another' });
});

test('a child that had no data is read again', async () => {
  const folder = new Folder();
  folder.create('a', '');
  const reads = follow(folder);
  await reads.refresh();
  folder.children.set('a', 'written');
  expect(await reads.event()).toEqual({ a: 'written' });
});

test('polls find data that was changed: of a hundred children at once, of more by turns', async () => {
  const folder = new Folder();
  for (let i = 0; i < 250; i++) folder.create(`${i}`);
  const reads = follow(folder);
  await reads.refresh();
  folder.children.set('249', 'another');
  for (const count of [100, 100, 100]) {
    await reads.poll();
    // A long list that has not changed is not read.
    expect(folder.asked).toMatchObject({ lists: 0, versions: 1 });
    expect(folder.asked.data).toHaveLength(count);
  }
  expect(await reads.poll()).toMatchObject({ 249: 'another' });
  folder.remove('0');
  const children = await reads.poll();
  expect(folder.asked).toMatchObject({ lists: 1, versions: 1 });
  expect(children).not.toHaveProperty('0');
});

test('what happens during the pause after an event is read with it', async () => {
  const folder = new Folder();
  for (let i = 0; i < 101; i++) folder.create(`${i}`);
  const reads = follow(folder, () => 20);
  await reads.refresh();
  folder.create('first');
  const read = reads.event();
  expect(folder.asked.lists).toBe(0);
  folder.create('second');
  folder.onEvent?.();
  expect(await read).toMatchObject({ first: 'first', second: 'second' });
  expect(folder.asked.lists).toBe(1);
});

test('a pause is for long lists only, and never longer than five seconds', () => {
  expect(pause(100, () => 0.99)).toBe(0);
  expect(pause(1_000, () => 0.5)).toBe(500);
  expect(pause(50_000, () => 1)).toBe(5_000);
});
