/**
 * How to run a command at an end host of the userspace data plane: in a network namespace of its own, made by an
 * ordinary user in a user namespace, with an interface that has the end host's address. It lasts as long as the
 * command.
 */
import { readlinkSync } from 'node:fs';
import { errorJson, VnmError } from '../../model/errors.ts';
import type { HostStart } from '../../vsys/host.ts';
import { hasProgram } from '../has-program.ts';
import { run } from '../run.ts';
import { connectToAgent } from './connection.ts';
import { deviceLine } from './device.ts';

export interface HostRequest {
  readonly slice: string;
  /** Of the end host. */
  readonly address: string;
}

const unshare = ['unshare', '--user', '--map-root-user', '--net', '--'];
const needed = [
  ['unshare', 'util-linux'],
  ['ip', 'iproute2'],
  ['bridge', 'iproute2'],
] as const;

/** The network namespace of this process. */
export const ownNetwork = (): string => readlinkSync('/proc/self/ns/net');

/**
 * Prints as JSON the words to put before a command at the end host, or an error: `unsupported` if the system does not
 * let this user make what is needed, and those of `connectToAgent`. `file`: the path of this program. Returns the exit
 * code.
 */
export async function printStart(request: HostRequest, file: string): Promise<number> {
  const answer = await startOf(request, file).catch((error: unknown) => ({ ...errorJson(error), thrown: error }));
  if (!('thrown' in answer)) {
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    return 0;
  }
  process.stdout.write(`${JSON.stringify({ error: answer.error })}\n`);
  return answer.thrown instanceof VnmError ? answer.thrown.exitCode : 1;
}

async function startOf({ slice, address }: HostRequest, file: string): Promise<HostStart> {
  await checkSystem();
  const { socket } = await connectToAgent(slice, { address, check: true });
  socket.destroy();
  const inside = ['host-inside', '--slice', slice, '--address', address, '--outside', ownNetwork()];
  return { words: [...unshare, process.execPath, file, ...inside, '--'] };
}

/** Throws VnmError `unsupported`. */
async function checkSystem(): Promise<void> {
  if (process.platform !== 'linux') {
    throw new VnmError('unsupported', 'commands at end hosts need Linux', {
      hint: 'let programs use a UDP port of another end host: `forward` in the slice file',
    });
  }
  for (const [program, from] of needed) {
    if (hasProgram(program)) continue;
    throw new VnmError('unsupported', `commands at end hosts need '${program}', and this system has none`, {
      hint: `install ${from}`,
    });
  }
  const [program, ...words] = unshare;
  const { code, stderr } = await run(program!, [...words, 'ip', ...deviceLine(0).split(' ')]);
  if (code === 0) return;
  throw new VnmError(
    'unsupported',
    `this system does not let an ordinary user make a network namespace with a VXLAN device: ${stderr.trim()}`,
    {
      hint: 'allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns), and load the kernel module vxlan',
    },
  );
}
