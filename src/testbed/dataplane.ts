/** Decides which kind of testbed can run on this machine. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { VnmError } from '../model/errors.ts';

export interface DataplaneChoice {
  readonly dataplane: 'kernel';
  /** One line for the user. */
  readonly reason: string;
}

/**
 * Throws VnmError `unsupported`, which says what is missing, when this machine cannot provide the wanted data plane.
 */
export function dataplaneChoice(wanted: 'auto' | 'kernel' | 'userspace'): DataplaneChoice {
  if (wanted === 'userspace') {
    throw new VnmError('unsupported', 'the userspace data plane is not available yet', {
      hint: 'use --dataplane kernel, on Linux as root',
    });
  }
  const missing = missingForKernel();
  if (missing.length > 0) {
    throw new VnmError('unsupported', `the kernel data plane needs ${missing.join(' and ')}`, {
      hint: 'run on Linux as root with iproute2 and util-linux; the userspace data plane is not available yet',
    });
  }
  return {
    dataplane: 'kernel',
    reason: wanted === 'kernel' ? 'as requested' : 'Linux, root and the required tools are available',
  };
}

function missingForKernel(): string[] {
  if (process.platform !== 'linux') return ['Linux'];
  const needs: [string, boolean][] = [
    ['root', process.getuid?.() === 0],
    ["the command 'ip' (iproute2)", commandPath('ip') !== undefined],
    ["the command 'nsenter' (util-linux)", commandPath('nsenter') !== undefined],
  ];
  return needs.filter(([, met]) => !met).map(([need]) => need);
}

/**
 * Returns the path of an executable in the search path (or the administrator's directories, which it may lack), if any.
 */
export function commandPath(command: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, command)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
