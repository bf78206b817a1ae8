import { join } from 'node:path';
import { VnmError } from '../model/errors.ts';

export interface AgentPaths {
  readonly policyDirectory: string;
  /** Of sockets, locks and logs; root's alone. */
  readonly runDirectory: string;
  readonly socket: string;
  readonly lock: string;
  readonly log: string;
  /** What the node takes back unless it is confirmed. */
  readonly pending: string;
}

const slicePattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
/** The kernel's limit for a socket's path, without the final zero. */
const maxSocketPath = 107;

/**
 * Where an agent's files are: below /etc and /run, or all below PL_VNM_DIR. Throws VnmError `usage` for what is no slice name,
 * `unsupported` when the directory's path is too long for a socket.
 */
export function agentPaths(slice: string, base = process.env.PL_VNM_DIR): AgentPaths {
  if (!slicePattern.test(slice)) throw new VnmError('usage', `${JSON.stringify(slice)} is not the name of a slice`);
  const runDirectory = base === undefined ? '/run/pl-vnm' : join(base, 'run');
  const socket = join(runDirectory, `${slice}.sock`);
  if (!fits(socket)) {
    throw new VnmError('unsupported', `the path of the agent's socket is too long: ${socket}`, {
      hint: `it may have ${maxSocketPath} bytes; choose a shorter PL_VNM_DIR`,
    });
  }
  return {
    policyDirectory: base === undefined ? '/etc/pl-vnm/policy' : join(base, 'policy'),
    runDirectory,
    socket,
    lock: join(runDirectory, `${slice}.lock`),
    log: join(runDirectory, `${slice}.log`),
    pending: join(runDirectory, `${slice}.pending`),
  };
}

/** Whether the sockets of the slice's agent can be below this PL_VNM_DIR. */
export function hasRoomForSocket(slice: string, base: string): boolean {
  return fits(join(base, 'run', `${slice}.sock`));
}

function fits(socket: string): boolean {
  return Buffer.byteLength(socket) <= maxSocketPath;
}
