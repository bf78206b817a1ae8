/** The token that requests must bring. It comes from a file or the environment: others can read command lines. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readBoundedText } from '../../model/bounded-file.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { isLoopback } from './host.ts';
import { maxLength } from './token-file.ts';

const tokenVariable = 'PL_VNM_TOKEN';
const howToMake = "make one with 'openssl rand -hex 32'";
/** What a header can carry, and no one can guess. */
const pattern = /^[\x21-\x7e]{16,512}$/;

/**
 * The token in `file`, else the one in the environment; undefined without either. White space around it does not count. Throws
 * VnmError `usage`, which does not tell the token.
 */
export function readToken(file: string | undefined, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const text = file === undefined ? environment[tokenVariable] : readFile(file);
  if (text === undefined) return undefined;
  const token = text.trim();
  if (pattern.test(token)) return token;
  const where = file === undefined ? tokenVariable : file;
  throw new VnmError('usage', `the token in ${where} is not 16 to 512 printable characters of ASCII without spaces`, {
    hint: howToMake,
  });
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

/** Throws VnmError `usage` when other machines could reach `host` and no token is given. */
export function requireToken(host: string, token: string | undefined): void {
  if (token !== undefined || isLoopback(host)) return;
  throw new VnmError('usage', `to listen on '${host}', which is not loopback, a token is needed`, {
    hint: `put one into a file for --token-file, or into ${tokenVariable}; ${howToMake}`,
  });
}

/** Whether an Authorization header brings the token. Takes as long for a wrong one as for the right one. */
export function bringsToken(authorization: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

/** Of one length, as the comparison wants it. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
