import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { storeTarget } from '../../../../src/doctor/store/store-target.ts';
import { StoreUrlError, splitStoreUrl } from '../../../../src/doctor/store/store-url.ts';

function places(url: string): string[] {
  return storeTarget(url, { user: 'u' }).servers.map(({ host, port }) => `${host} ${port}`);
}

describe('a URL of a metadata store', () => {
  test.each([
    ['postgresql://db-1/druid', ['db-1 5432']],
    ['postgres://db-1:6432,db-2/druid', ['db-1 6432', 'db-2 5432']],
    ['mysql://db-1,db-2:3307/druid', ['db-1 3306', 'db-2 3307']],
    ['mariadb://[fd00::1]:3307,[fd00::2]/druid', ['fd00::1 3307', 'fd00::2 3306']],
    ['jdbc:postgresql://db-1:5432,db-2:5433/druid?targetServerType=primary', ['db-1 5432', 'db-2 5433']],
    ['jdbc:postgresql:druid', ['localhost 5432']],
    ['jdbc:postgresql:///druid', ['localhost 5432']],
    ['postgresql:///druid?host=db-1,db-2&port=5433', ['db-1 5433', 'db-2 5433']],
    ['jdbc:mysql:replication://db-1,db-2/druid', ['db-1 3306', 'db-2 3306']],
    ['jdbc:mariadb:sequential://db-1,db-2/druid', ['db-1 3306', 'db-2 3306']],
    ['jdbc:aws-wrapper:postgresql://cluster.rds.example/druid', ['cluster.rds.example 5432']],
    [
      'jdbc:mysql://address=(host=db-1)(port=3307)(type=source),(host=db-2,port=3308)/druid',
      ['db-1 3307', 'db-2 3308'],
    ],
    ['JDBC:MYSQL://u:p@db-1,u:p@db-2/druid', ['db-1 3306', 'db-2 3306']],
  ])('%s', (url, expected) => {
    expect(places(url)).toEqual(expected);
    expect(storeTarget(url, { user: 'u' }).database).toBe('druid');
  });

  test('user and password come from what is nearest to the caller', () => {
    const url = 'postgresql://in%40url:se%2Fcret@db-1/druid?password=other';
    expect(storeTarget(url)).toMatchObject({ user: 'in@url', password: 'se/cret' });
    expect(storeTarget(url, { user: 'flag', password: 'file' })).toMatchObject({
      user: 'flag',
      password: 'file',
    });
    expect(storeTarget(url, { fallbackPassword: 'variable' }).password).toBe('se/cret');
    const bare = 'jdbc:postgresql://db-1/druid?user=option';
    expect(storeTarget(bare, { fallbackPassword: 'variable' })).toMatchObject({
      user: 'option',
      password: 'variable',
    });
    expect(storeTarget(bare).password).toBe(null);
  });

  test.each([
    ['postgresql://u@db/druid', 'prefer'],
    ['postgresql://u@db/druid?sslmode=verify-full', 'verify-full'],
    ['postgresql://u@db/druid?sslmode=allow', 'prefer'],
    ['jdbc:postgresql://db/druid?user=u&ssl=true', 'verify-full'],
    ['jdbc:postgresql://db/druid?user=u&ssl=true&sslmode=require', 'require'],
    ['mysql://u@db/druid?ssl-mode=DISABLED', 'disable'],
    ['jdbc:mysql://db/druid?user=u&sslMode=VERIFY_IDENTITY', 'verify-full'],
    ['jdbc:mysql://db/druid?user=u&useSSL=true', 'require'],
    ['jdbc:mysql://db/druid?user=u&useSSL=true&verifyServerCertificate=true', 'verify-ca'],
    ['jdbc:mysql://db/druid?user=u&useSSL=false', 'disable'],
    ['jdbc:mariadb://db/druid?user=u&useSsl=true', 'verify-full'],
    ['jdbc:mariadb://db/druid?user=u&useSsl=true&trustServerCertificate=true', 'require'],
    ['jdbc:mariadb://db/druid?user=u&sslMode=trust', 'require'],
  ])('%s is encrypted by %s', (url, mode) => {
    expect(storeTarget(url).tls.mode).toBe(mode);
  });

  test.each([
    ['', 'it is no URL'],
    ['db-1:5432/druid', 'it is no URL'],
    ['jdbc:derby://db-1:1527/druid', 'only PostgreSQL, MySQL and MariaDB'],
    ['jdbc:sqlserver://db-1;databaseName=druid', 'neither a name nor an address'],
    ['mysql+srv://u@db/druid', 'instead of a SRV record'],
    ['postgresql://u@db-1', 'it names no database'],
    ['postgresql://db-1/druid', 'it names no user'],
    ['postgresql://u@db-1:0/druid', 'a port of it'],
    ['postgresql://u@db-1:port/druid', 'a port of it'],
    ['postgresql://u:p,w@db-1@db-2/druid', 'in a password are written as %3A %40 %2C %2F'],
    ['postgresql://u@db-1/druid?sslmode=maybe', 'its sslmode is not known'],
    ['postgresql://u@a,b,c,d,e,f,g,h,i/druid', 'more than 8 servers'],
    [`postgresql://u@db-1/${'d'.repeat(4_000)}`, 'it is too long'],
  ])('%s is refused: %s', (url, why) => {
    expect(() => storeTarget(url)).toThrow(StoreUrlError);
    expect(() => storeTarget(url)).toThrow(why);
  });

  test('is never told in the error, whatever it is', () => {
    const secret = 'hunter2secret';
    const part = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom(...'@:/,?#[]()=&%', secret));
    fc.assert(
      fc.property(
        fc.constantFrom('postgresql://', 'jdbc:mysql://', 'jdbc:', ''),
        fc.array(part, { maxLength: 8 }),
        (scheme, parts) => {
          const url = `${scheme}u:${secret}${parts.join('')}`;
          try {
            storeTarget(url);
          } catch (error) {
            expect(error).toBeInstanceOf(StoreUrlError);
            expect(String(error)).not.toContain(secret);
          }
        },
      ),
    );
  });

  test('that is made of parts gives these parts', () => {
    const word = fc.stringMatching(/^[a-z][a-z\d-]{0,10}$/);
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 15 });
    const host = fc.record({ host: word, port: fc.integer({ min: 1, max: 65_535 }) });
    fc.assert(
      fc.property(
        text,
        text,
        fc.array(host, { minLength: 1, maxLength: 8 }),
        word,
        (user, password, hosts, database) => {
          const list = hosts.map(({ host, port }) => `${host}:${port}`).join(',');
          const url = `jdbc:mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${list}/${database}`;
          expect(splitStoreUrl(url)).toMatchObject({ user, password, hosts, database });
        },
      ),
    );
  });
});
