/** Where the daemon of a router's namespace lives: its files, and the namespace. */
import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VnmError } from '../../model/errors.ts';
import { run } from '../run.ts';

/**
 * A daemon's own user must reach its files, but not those of the agent. Names of namespaces are unique on a machine, so
 * that the agents of several nodes on one machine share this directory.
 */
export const daemonRoot = '/run/pl-vnm-daemons';
/** The kernel's limit for a socket path in bytes, without the terminating zero. */
const maxSocketPath = 107;

export interface Place {
  readonly namespace: string;
  /** The file of the network namespace. */
  readonly netns: string;
  /** Belongs to root; the daemon's group may read it. */
  readonly folder: string;
  /** Belongs to the daemon's user. */
  readonly runFolder: string;
  /** The standard output and error of its processes. */
  readonly log: string;
}

/** Throws VnmError `unsupported` for a namespace whose name leaves no room for the daemon's sockets. */
export function placeOf(namespace: string): Place {
  const folder = join(daemonRoot, namespace);
  const runFolder = join(folder, 'run');
  if (Buffer.byteLength(join(runFolder, 'staticd.vty')) > maxSocketPath) {
    throw new VnmError('unsupported', `the path of a routing daemon's socket is too long: ${runFolder}`, {
      hint: 'give the slice or the router a shorter name',
    });
  }
  return { namespace, netns: join('/run/netns', namespace), folder, runFolder, log: join(folder, 'log') };
}

/** Returns a place for trying a configuration, whatever runs in the place. No namespace has such a name. */
export function trialOf(place: Place): Place {
  const folder = join(daemonRoot, `.trial-${place.namespace}`);
  return { ...place, folder, runFolder: join(folder, 'run'), log: join(folder, 'log') };
}

/** Identifies the network namespace of that name; undefined if there is none. */
export function netnsId({ netns }: Place): number | undefined {
  return statSync(netns, { throwIfNoEntry: false })?.ino;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const owners = new Map<string, Owner>();

/** Throws VnmError `unsupported` if there is no such user. */
export async function ownerOf(user: string): Promise<Owner> {
  const known = owners.get(user);
  if (known !== undefined) return known;
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (option) => run('id', [option, user])));
  if (uid!.code !== 0 || gid!.code !== 0) throw new VnmError('unsupported', `there is no user '${user}'`);
  const owner = { uid: Number(uid!.stdout), gid: Number(gid!.stdout) };
  owners.set(user, owner);
  return owner;
}

/** Makes the folders of a daemon, empty. */
export function makeFolders({ folder, runFolder }: Place, { uid, gid }: Owner): void {
  makeRoot();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o750 });
  chownSync(folder, 0, gid);
  chmodSync(folder, 0o750);
  mkdirSync(runFolder, { mode: 0o700 });
  chownSync(runFolder, uid, gid);
}

/** Root's, and open for passing through: what a daemon may reach below it, its folder says. */
export function makeRoot(): void {
  mkdirSync(daemonRoot, { recursive: true, mode: 0o711 });
  const stats = lstatSync(daemonRoot);
  if (!stats.isDirectory() || stats.uid !== 0 || (stats.mode & 0o022) !== 0) {
    throw new VnmError('forbidden', `users other than root can write ${daemonRoot}`, {
      hint: `remove ${daemonRoot}`,
    });
  }
  chmodSync(daemonRoot, 0o711);
}

export function removeFolders({ folder }: Place): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Writes a file that the daemon may read and only root may change, whole or not at all. Returns its path. */
export function writeFor({ folder }: Place, { gid }: Owner, name: string, text: string): string {
  const path = join(folder, name);
  const fresh = `${path}.part`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, text, { mode: 0o640 });
  chownSync(fresh, 0, gid);
  renameSync(fresh, path);
  return path;
}
