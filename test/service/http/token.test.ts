import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { readToken, requireToken } from '../../../src/service/http/token.ts';

const token = '0123456789abcdef';
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-token-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function fileWith(text: string): string {
  const path = join(directory, 'token');
  writeFileSync(path, text);
  return path;
}

function errorOf(body: () => unknown): VnmError {
  try {
    body();
  } catch (error) {
    if (error instanceof VnmError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

describe('reading the token', () => {
  test('the token comes from a file, otherwise from the environment', () => {
    expect(readToken(fileWith(`${token}\n`), { PL_VNM_TOKEN: 'another-token-of-the-environment' })).toBe(token);
    expect(readToken(undefined, { PL_VNM_TOKEN: ` ${token} ` })).toBe(token);
    expect(readToken(undefined, {})).toBeUndefined();
  });

  test.each([
    ['too short', token.slice(1)],
    ['too long', 'x'.repeat(513)],
    ['empty', '\n'],
    ['two words', `${token} ${token}`],
    ['two lines', `${token}\n${token}`],
    ['impossible in a header', `${token}é`],
  ])('a token that is %s is refused, and not shown', (_what, text) => {
    const error = errorOf(() => readToken(undefined, { PL_VNM_TOKEN: text }));
    expect(error.code).toBe('usage');
    expect(error.message).toBe(
      'invalid token in PL_VNM_TOKEN: it must be 16 to 512 printable ASCII characters without spaces',
    );
    expect(error.hint).toBe('make one with `openssl rand -hex 32`');
    const path = fileWith(text);
    expect(errorOf(() => readToken(path)).message).toContain(`invalid token in ${path}: `);
  });

  test('a token file without end is read up to a limit', () => {
    const error = errorOf(() => readToken('/dev/zero'));
    expect(error.message).toContain('cannot read the token file /dev/zero: it is a device');
  });

  test('a token file that cannot be read is an error, even with a token in the environment', () => {
    const error = errorOf(() => readToken(join(directory, 'nowhere'), { PL_VNM_TOKEN: token }));
    expect(error.code).toBe('usage');
    expect(error.message).toContain('cannot read the token file');
  });
});

describe('where a token is needed', () => {
  test.each(['127.0.0.1', '127.0.0.53', 'localhost', 'LOCALHOST', '::1'])('no token is needed on %s', (host) =>
    expect(requireToken(host, undefined)).toBeUndefined(),
  );

  test.each(['0.0.0.0', '::', '10.0.0.5', '2001:db8::5', 'vnm.example', 'localhost.example', '::ffff:127.0.0.1', ''])(
    'a token is needed on %j',
    (host) => {
      const error = errorOf(() => requireToken(host, undefined));
      expect(error.code).toBe('usage');
      expect(error.message).toBe(`listening on '${host}', which is not loopback, needs a token`);
      expect(requireToken(host, token)).toBeUndefined();
    },
  );
});
