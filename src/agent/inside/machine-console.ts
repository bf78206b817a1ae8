/** The console of the machine in a router's namespace. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { VnmError } from '../../model/errors.ts';
import type { NamespaceName } from '../../model/names.ts';
import { guestPlace } from '../guests/place.ts';
import { filesOf } from '../machines/command-line.ts';

/** The most of the console's log that is shown. */
const maxLogBytes = 64 * 1024;
/** Of `flock`, if another command has the console. */
const busyCode = 75;

export function hasMachine(namespace: NamespaceName): boolean {
  return existsSync(guestPlace(namespace).folder);
}

/** Throws VnmError `not-found`. */
export function requireMachine(namespace: NamespaceName): void {
  if (hasMachine(namespace)) return;
  throw new VnmError('not-found', `there is no virtual machine in namespace '${namespace}'`, {
    hint: 'only routers of kind image have a console',
  });
}

/**
 * Returns the words of a program that joins its streams with the console, or with a command runs it there. Only one can
 * have the console, which the lock decides. `program`: the file of the agent.
 */
export function consoleWords(namespace: NamespaceName, program: string, command: readonly string[]): string[] {
  const { folder } = guestPlace(namespace);
  const bridge = [process.execPath, program, 'console', '--socket', filesOf(folder).console, '--', ...command];
  const script = `flock -n -E ${busyCode} "$0" "$@"
code=$?
[ $code -ne ${busyCode} ] || echo 'another command has the console of this router' >&2
exit $code`;
  return ['sh', '-c', script, join(folder, 'console.lock'), ...bridge];
}

/** Returns the last part of what the guest has written. */
export function consoleLog(namespace: NamespaceName): string {
  const path = filesOf(guestPlace(namespace).folder).consoleLog;
  if (!existsSync(path)) {
    throw new VnmError('not-found', 'the console of this router is not kept', { hint: 'give the router console: log' });
  }
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const part = Buffer.alloc(Math.min(size, maxLogBytes));
    return part.subarray(0, readSync(file, part, 0, part.length, size - part.length)).toString();
  } finally {
    closeSync(file);
  }
}
