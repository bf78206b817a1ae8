/** Chooses the kind of testbed that this machine can carry. */
import { existsSync, readFileSync } from 'node:fs';
import { commandPath } from '../model/command-path.ts';
import type { Dataplane } from '../model/dataplane.ts';
import { VnmError } from '../model/errors.ts';

export interface DataplaneChoice {
  readonly dataplane: Dataplane;
  /** One line for the user. */
  readonly reason: string;
}

/**
 * `auto` chooses the kernel data plane where this machine can carry it, else the userspace one. Throws VnmError
 * `unsupported` with what the requested data plane lacks on this machine.
 */
export function dataplaneChoice(wanted: 'auto' | Dataplane): DataplaneChoice {
  if (wanted === 'userspace') return { dataplane: 'userspace', reason: 'as requested' };
  const missing = missingForKernel();
  if (missing.length === 0) {
    const reason = wanted === 'kernel' ? 'as requested' : 'Linux, root and the required tools are available';
    return { dataplane: 'kernel', reason };
  }
  const needs = `the kernel data plane needs ${missing.join(' and ')}`;
  if (wanted === 'auto') return { dataplane: 'userspace', reason: needs };
  throw new VnmError('unsupported', needs, {
    hint: 'run on Linux as root with iproute2 and util-linux, or use --dataplane userspace',
  });
}

function missingForKernel(): string[] {
  const lack = lackOfPrivileges();
  if (lack === 'Linux') return [lack];
  const tools = [
    ['ip', 'iproute2'],
    ['nsenter', 'util-linux'],
  ] as const;
  const missing = tools.filter(([command]) => commandPath(command) === undefined);
  return [
    ...(lack === undefined ? [] : [lack]),
    ...missing.map(([command, source]) => `the command '${command}' (${source})`),
  ];
}

/** What this process lacks to make network namespaces; undefined if nothing. */
export function lackOfPrivileges(): 'Linux' | 'root' | 'CAP_NET_ADMIN and CAP_SYS_ADMIN' | undefined {
  if (process.platform !== 'linux') return 'Linux';
  if (process.getuid?.() !== 0) return 'root';
  return hasCapabilities() ? undefined : 'CAP_NET_ADMIN and CAP_SYS_ADMIN';
}

/** Bits of the capabilities to change networks, and to make namespaces and mounts (linux/capability.h). */
const neededCapabilities = [12n, 21n];

/** Root in a container may lack them. Without /proc the kernel data plane does not work, whatever there is. */
function hasCapabilities(): boolean {
  if (!existsSync('/proc/self/status')) return false;
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (effective === undefined) return true;
  const bits = BigInt(`0x${effective}`);
  return neededCapabilities.every((bit) => (bits & (1n << bit)) !== 0n);
}
