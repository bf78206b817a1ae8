import { join } from 'node:path';
import { VnmError } from '../model/errors.ts';

export interface AgentPaths {
  readonly policyDirectory: string;
  /** Sockets, locks and logs; only root can access it. */
  readonly runDirectory: string;
  readonly socket: string;
  /** For programs at end hosts, in the userspace data plane. */
  readonly hostSocket: string;
  readonly lock: string;
  /** A socket that is the lock where there is no `flock`. */
  readonly held: string;
  readonly log: string;
  /** Operations that the node undoes unless they are confirmed. */
  readonly pending: string;
  /** What trials of the kernel found; all agents of the node share it. */
  readonly features: string;
  /** Which routing daemons there must be, a file for each; only root can access them. */
  readonly daemonRecords: string;
  /** Which virtual machines there must be, a file for each; only root can access them. */
  readonly guestRecords: string;
  /** The images of virtual machines; not in memory, as the run directory may be. */
  readonly images: string;
  /** The state of the userspace data plane. */
  readonly state: string;
}

const slicePattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
/** The kernel's limit for a socket path in bytes, without the terminating zero. BSD systems have 104 bytes for both. */
const maxSocketPath = process.platform === 'linux' ? 107 : 103;

/**
 * Returns the paths of an agent's files: below /etc and /run, or all below PL_VNM_DIR. Throws VnmError `usage` for an
 * invalid slice name, `unsupported` when the path of the socket is too long.
 */
export function agentPaths(slice: string, base = process.env.PL_VNM_DIR): AgentPaths {
  if (!slicePattern.test(slice)) throw new VnmError('usage', `invalid slice name ${JSON.stringify(slice)}`);
  const runDirectory = base === undefined ? '/run/pl-vnm' : join(base, 'run');
  const socket = join(runDirectory, `${slice}.sock`);
  if (!fits(socket)) {
    throw new VnmError('unsupported', `the path of the agent's socket is too long: ${socket}`, {
      hint: `choose a shorter PL_VNM_DIR: a socket path has at most ${maxSocketPath} bytes`,
    });
  }
  return {
    policyDirectory: base === undefined ? '/etc/pl-vnm/policy' : join(base, 'policy'),
    runDirectory,
    socket,
    // As long as the other socket's path, and so is `held`.
    hostSocket: join(runDirectory, `${slice}.host`),
    lock: join(runDirectory, `${slice}.lock`),
    held: join(runDirectory, `${slice}.held`),
    log: join(runDirectory, `${slice}.log`),
    pending: join(runDirectory, `${slice}.pending`),
    features: join(runDirectory, 'features.json'),
    daemonRecords: join(runDirectory, `${slice}.daemons`),
    guestRecords: join(runDirectory, `${slice}.guests`),
    images: base === undefined ? `/var/lib/pl-vnm/images/${slice}` : join(base, 'images', slice),
    state: join(runDirectory, `${slice}.state`),
  };
}

/** Whether a socket path of the slice's agent is short enough below this PL_VNM_DIR. */
export function hasRoomForSocket(slice: string, base: string): boolean {
  return fits(join(base, 'run', `${slice}.sock`));
}

function fits(socket: string): boolean {
  return Buffer.byteLength(socket) <= maxSocketPath;
}
