/** The token for requests. It comes from a file or the environment, since other users can read command lines. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readBoundedText } from '../../model/bounded-file.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { isLoopback } from './host.ts';
import { maxLength } from './token-file.ts';

const tokenVariable = 'PL_VNM_TOKEN';
const howToMake = 'make one with `openssl rand -hex 32`';
/** A token that fits into a header and is too long to guess. */
const pattern = /^[\x21-\x7e]{16,512}$/;

/**
 * Returns the token in `file`, else the one in the environment, without surrounding white space; undefined without
 * either. Throws VnmError `usage`, whose message does not contain the token.
 */
export function readToken(file: string | undefined, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const text = file === undefined ? environment[tokenVariable] : readFile(file);
  if (text === undefined) return undefined;
  const token = text.trim();
  if (pattern.test(token)) return token;
  const where = file === undefined ? tokenVariable : file;
  throw new VnmError(
    'usage',
    `invalid token in ${where}: it must be 16 to 512 printable ASCII characters without spaces`,
    {
      hint: howToMake,
    },
  );
}

function readFile(path: string): string {
  try {
    return readBoundedText(path, { maxBytes: maxLength, pipes: true });
  } catch (error) {
    throw new VnmError('usage', `cannot read the token file ${path}: ${messageOf(error)}`, {
      hint: howToMake,
      cause: error,
    });
  }
}

/** Throws VnmError `usage` if other machines could reach `host` and no token is given. */
export function requireToken(host: string, token: string | undefined): void {
  if (token !== undefined || isLoopback(host)) return;
  throw new VnmError('usage', `listening on '${host}', which is not loopback, needs a token`, {
    hint: `put a token into a file for --token-file, or into ${tokenVariable}; ${howToMake}`,
  });
}

/** Whether an Authorization header has the token. Takes as long for a wrong token as for the right one. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

/** Hashes a text, since the comparison needs values of equal length. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
