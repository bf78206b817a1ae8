/** The login of a slice on a shared node: the one that may attach to its agent. */
import { readFileSync, statSync } from 'node:fs';
import { messageOf, VnmError } from '../../model/errors.ts';
import { loginPattern, loginsOf, rulePath } from '../../vsys/sudo-rule.ts';
import { run } from '../run.ts';

export interface Login {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const again = 'ask the administrator of the node to run `pl-vnm agent install` again';

/** Throws VnmError `unsupported` if nothing says which login it is, or it cannot be confined. */
export async function loginOfSlice(slice: string, path = rulePath(slice)): Promise<Login> {
  const [name, ...others] = loginsOf(readRule(path));
  if (name === undefined || others.length > 0 || !loginPattern.test(name)) {
    throw new VnmError('unsupported', `${path} does not name exactly one login, as which the command would run`, {
      hint: again,
    });
  }
  const { stdout } = await run('getent', ['passwd', name]);
  const login = parsePasswd(stdout);
  if (login === undefined || login.uid === 0) {
    const why = login === undefined ? 'does not exist' : 'is root';
    throw new VnmError('unsupported', `the login '${name}' of ${path} ${why}`, { hint: again });
  }
  return login;
}

/** Only a file that sudo would read. */
function readRule(path: string): string {
  try {
    const { uid, mode } = statSync(path);
    if (uid !== 0 || (mode & 0o022) !== 0) throw new Error('users other than root can write it');
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new VnmError('unsupported', `the slice's login is unknown: cannot read ${path}: ${messageOf(error)}`, {
      hint: again,
      cause: error,
    });
  }
}

/** Parses a line of passwd(5). */
export function parsePasswd(line: string): Login | undefined {
  const [, name, uid, gid, home] = /^([^:\n]+):[^:]*:(\d+):(\d+):[^:]*:([^:]*):[^:]*$/.exec(line.trimEnd()) ?? [];
  return name === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid), home: home! };
}
