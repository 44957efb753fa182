import { afterEach, expect, test } from 'vitest';
import type { ReadError, Session } from '../../../../src/discovery/zookeeper/session.ts';
import { createWatch, type Watch, type WatchOptions } from '../../../../src/discovery/zookeeper/watch.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

type Reads = Pick<Session, 'getChildren' | 'getData' | 'exists'>;

let watch: Watch | null = null;
afterEach(() => watch?.stop());

const SESSION: Reads = {
  getChildren: async () => ['a', 'b'],
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
        getChildren: async () => {
          trip();
          return ['a', 'b'];
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
  const getChildren = async (): Promise<string[]> => {
    const failure = failed;
    failed = null;
    if (failure !== null) throw failure;
    return ['a'];
  };
  const onFault = (fault: string): void => {
    throw new Error(fault);
  };
  expect(await readBy({ errors, onFault, session: { ...SESSION, getChildren } })).toEqual(['/p/a']);
  expect(errors.lines[0]?.error).toBe('Error: /p cannot be read: throttled');
});

test('children with names that none can have are passed over', async () => {
  const names = ['', '.', '..', 'x/y', '../a', '\0', '\ud800', '__proto__', 'a'];
  const session = { ...SESSION, getChildren: async () => names };
  expect(await readBy({ session })).toEqual(['/p/__proto__', '/p/a']);
});
