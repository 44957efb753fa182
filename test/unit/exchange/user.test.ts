import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { basicUser, userOf } from '../../../src/exchange/user.ts';
import { createAccessLog } from '../../../src/logs/access-log.ts';
import { createLogger } from '../../../src/logs/logger.ts';
import { exchange } from '../admin/fakes.ts';

const basic = (text: string | Buffer): string => `Basic ${Buffer.from(text).toString('base64')}`;
const authorization = (value: string) => ({
  block: `Host: a\r\nAuthorization: ${value}\r\n`,
  certificateName: null,
});

describe('the user of a request', () => {
  test.each([
    [basic('admin:pw'), 'admin'],
    [basic('admin:p:w'), 'admin'],
    [basic('jürgen@example.com:pw'), 'jürgen@example.com'],
    [basic('admin:pw').replace('Basic', 'bAsIC  '), 'admin'],
    [basic('a:\0'), 'a'],
    [basic('a\nb:pw'), 'a\nb'],
  ])('in %s is %j', (value, user) => {
    expect(basicUser(value)).toBe(user);
  });

  test.each([
    '',
    'Basic',
    'Basic ',
    'Basic !!!',
    'Basic YTpi YTpi',
    'Basic YTpi===',
    `Bearer ${Buffer.from('a:b').toString('base64')}`,
    'admin:pw',
    basic('no colon'),
    basic(':pw'),
    // A token in the place of the name.
    basic('sk_live_token:'),
    // The name tells the password.
    basic('secret:secret'),
    basic('my-secret:secret'),
    basic(Buffer.from([0xff, 0xfe, 0x3a, 0x61])),
    `Basic ${'A'.repeat(5_000)}`,
  ])('is not told by %s', (value) => {
    expect(basicUser(value)).toBeNull();
  });

  test('is the first one that is named, else that of the certificate', () => {
    expect(userOf({ ...authorization(basic('u:p')), certificateName: 'cn' })).toBe('u');
    expect(userOf({ ...authorization('Bearer x'), certificateName: 'cn' })).toBe('cn');
    expect(userOf({ block: 'Host: a\r\n', certificateName: 'cn' })).toBe('cn');
    expect(userOf({ block: 'Host: a\r\n', certificateName: null })).toBeNull();
    const two = `Authorization: ${basic('a:p')}\r\nAuthorization: ${basic('b:p')}\r\n`;
    expect(userOf({ block: two, certificateName: null })).toBe('a');
  });
});

/** Parts of a secret that is in no line without it. */
const secrets = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => `§${text}§`);
const values = fc.oneof(
  fc
    .tuple(fc.string({ unit: 'binary' }), secrets)
    .map(([name, secret]) => [basic(`${name}:${secret}`), secret]),
  secrets.map((secret) => [basic(`${secret}:`), secret]),
  secrets.map((secret) => [basic(`${secret}:${secret}`), secret]),
  secrets.map((secret) => [basic(secret.replaceAll(':', '')), secret.replaceAll(':', '')]),
  secrets.map((secret) => [`Bearer ${secret}`, secret]),
  secrets.map((secret) => [`Basic ${secret}`, secret]),
  secrets.map((secret) => [secret, secret]),
);

test('no line has the secret of any Authorization, in either format', () => {
  fc.assert(
    fc.property(values, fc.constantFrom('json', 'text'), ([value = '', secret = ''], format) => {
      const lines: string[] = [];
      const stream = { write: (line: string) => void lines.push(line) };
      const user = userOf(authorization(value));
      createAccessLog(createLogger({ level: 'info', format, stream }))(exchange({ user }));
      const encoded = Buffer.from(secret).toString('base64');
      const escaped = JSON.stringify(secret).slice(1, -1);
      expect(lines).toHaveLength(1);
      for (const form of [secret, escaped, encoded]) expect(lines[0]).not.toContain(form);
      expect(lines[0]).not.toContain('§');
    }),
    { numRuns: 500 },
  );
});
