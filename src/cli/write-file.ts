/** Files that a command writes for its user. */
import { realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { messageOf, VnmError } from '../model/errors.ts';

/** Writes a new file. Throws VnmError `conflict` if it exists; `hint` says what to do then. */
export function writeNew(file: string, text: string, hint: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw new VnmError('conflict', `${file} exists`, { hint });
    throw cannotWrite(file, cause);
  }
}

/** Replaces a file in one step, so that it is never half written; its permissions stay. Throws VnmError `failed`. */
export function replaceFile(file: string, text: string): void {
  let fresh: string | undefined;
  try {
    const path = realpathSync(file);
    fresh = `${path}.new-${process.pid}`;
    writeFileSync(fresh, text, { flag: 'wx', mode: statSync(path).mode & 0o777 });
    renameSync(fresh, path);
  } catch (cause) {
    if (fresh !== undefined && (cause as NodeJS.ErrnoException).code !== 'EEXIST') rmSync(fresh, { force: true });
    throw cannotWrite(file, cause);
  }
}

function cannotWrite(file: string, cause: unknown): VnmError {
  return new VnmError('failed', `cannot write ${file}: ${messageOf(cause)}`, {
    hint: 'choose a directory that exists and that you may write to',
    cause,
  });
}
