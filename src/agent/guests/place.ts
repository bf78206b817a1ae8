/** Where the machine of a router's namespace lives: its files, and the namespace. */
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { VnmError } from '../../model/errors.ts';

/**
 * Names of namespaces are unique on a machine, so that the agents of several nodes on one machine share this directory.
 * Only root can pass it.
 */
export const machineRoot = '/run/pl-vnm-machines';
/** The kernel's limit for a socket path in bytes, without the terminating zero; the longest name of one. */
const maxSocketPath = 107;
const longestSocket = 'questions';

export interface GuestPlace {
  readonly namespace: string;
  /** The file of the network namespace. */
  readonly netns: string;
  readonly folder: string;
  readonly configDisk: string;
}

/** Throws VnmError `unsupported` for a namespace whose name leaves no room for the machine's sockets. */
export function guestPlace(namespace: string): GuestPlace {
  const folder = join(machineRoot, namespace);
  if (Buffer.byteLength(join(folder, longestSocket)) > maxSocketPath) {
    throw new VnmError('unsupported', `the path of a machine's socket is too long: ${folder}`, {
      hint: 'give the slice or the router a shorter name',
    });
  }
  return { namespace, netns: join('/run/netns', namespace), folder, configDisk: join(folder, 'config.iso') };
}

/** Makes the folder of a machine, empty. */
export function makeFolder({ folder }: GuestPlace): void {
  mkdirSync(machineRoot, { recursive: true, mode: 0o711 });
  const stats = lstatSync(machineRoot);
  if (!stats.isDirectory() || stats.uid !== 0 || (stats.mode & 0o022) !== 0) {
    throw new VnmError('forbidden', `users other than root can write ${machineRoot}`, {
      hint: `remove ${machineRoot}`,
    });
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
}

export function removeFolder({ folder }: GuestPlace): void {
  rmSync(folder, { recursive: true, force: true });
}
