/** CRIU: found, and run to take a checkpoint of a daemon or to restore one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VnmError } from '../../../model/errors.ts';
import { run } from '../../run.ts';
import { innerPid } from '../apart.ts';
import type { Owner } from '../place.ts';
import { findProgram, versionOf } from '../programs.ts';

/** Older ones cannot take a checkpoint of sockets and the vDSO of new kernels. */
const atLeast = [4, 2] as const;
const directories = ['/usr/local/sbin', '/usr/local/bin'];
const dumpSeconds = 30;

/**
 * What CRIU needs for a dump. It runs with these as the daemon's user: so it may read the limits of a process of that
 * user, for which root needs a capability (CAP_SYS_RESOURCE) that it lacks in many containers.
 */
const capabilities = [
  'checkpoint_restore',
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'net_admin',
  'net_raw',
  'setgid',
  'setpcap',
  'setuid',
  'sys_admin',
  'sys_chroot',
  'sys_ptrace',
]
  .map((name) => `+${name}`)
  .join(',');

type Found = { readonly path: string; readonly version: string } | { readonly lacks: string };

/** Returns CRIU on this node, or what is missing for checkpoints. */
export async function findCriu(): Promise<Found> {
  const path = findProgram('criu', directories);
  if (path === undefined) return { lacks: "there is no 'criu' (CRIU 4.2 or newer)" };
  if (findProgram('perl') === undefined) return { lacks: "there is no 'perl' (package perl-base)" };
  const version = await versionOf(path, /^Version: (\d+\.\d+\S*)/m);
  const [major, minor] = (version ?? '').split('.').map((part) => Number.parseInt(part, 10));
  if (version === undefined) return { lacks: `${path} does not say its version` };
  const isEnough = Number(major) > atLeast[0] || (Number(major) === atLeast[0] && Number(minor) >= atLeast[1]);
  if (!isEnough) return { lacks: `CRIU ${atLeast.join('.')} or newer is needed, not ${version}` };
  return { path, version };
}

/** Throws VnmError `unsupported`. */
export async function needCriu(): Promise<string> {
  const found = await findCriu();
  if ('path' in found) return found.path;
  throw new VnmError('unsupported', `no checkpoint of a routing daemon: ${found.lacks}`, {
    hint: 'use another way to move the control plane',
  });
}

/**
 * Writes the checkpoint of a process into an empty directory; the process is stopped then. Throws VnmError `failed`;
 * then it runs, unless CRIU itself was killed.
 */
export async function dump(criu: string, pid: number, { uid, gid }: Owner, images: string): Promise<void> {
  const inside = ['nsenter', `--target=${pid}`, '--net', '--pid', '--mount', '--'];
  const login = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const as = ['setpriv', ...login, `--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`, '--'];
  const what = ['dump', '--unprivileged', '--tree', String(innerPid), '--images-dir', images, '--leave-stopped'];
  const how = ['--network-lock', 'skip', '--ext-unix-sk', '-v2', '--log-file', 'dump.log'];
  const words = [...inside, ...as, criu, ...what, ...how];
  const { code, stderr } = await run('timeout', ['--kill-after=5', String(dumpSeconds), ...words]);
  if (code === 0) return;
  const why = errorsOf(join(images, 'dump.log')) ?? (stderr.trim() || `code ${code}`);
  throw new VnmError('failed', `CRIU cannot take a checkpoint of the daemon: ${why}`);
}

/** The words that restore a checkpoint and then stay while the process runs. */
export function restorer(criu: string, images: string): string[] {
  return [criu, 'restore', '--images-dir', images, '-v2', '--log-file', restoreLog(images)];
}

export function restoreErrors(images: string): string | undefined {
  return errorsOf(restoreLog(images));
}

function restoreLog(images: string): string {
  return join(images, 'restore.log');
}

/** The first errors in a log of CRIU: those after them follow from them. Undefined if there are none. */
function errorsOf(log: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(log, 'utf8');
  } catch {
    return undefined;
  }
  const errors = [...text.matchAll(/Error \([^)]*\): (.*)/g)].map(([, words]) => words!);
  // Reported on every run in a container that may not raise limits.
  const known = errors.filter((words) => !words.startsWith("rlimit: Can't setup"));
  return known.length === 0 ? undefined : known.slice(0, 2).join('; ').slice(0, 500);
}
