import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';
import { lackOfPrivileges } from '../../src/testbed/dataplane.ts';

const lack = lackOfPrivileges();
const noRoot = lack === undefined ? undefined : `they need ${lack} (network namespaces)`;

/** `describe` for tests that make network namespaces. If it cannot, skips them with a warning; in CI, fails. */
export function describeAsRoot(name: string, body: () => void): void {
  describeUnless(noRoot, name, body);
}

/** As `describeAsRoot`, for tests that also need programs; `lack` says which are missing. */
export function describeAsRootUnless(lack: string | undefined, name: string, body: () => void): void {
  describeUnless(noRoot ?? lack, name, body);
}

/** As `describeAsRoot`, for tests that make a network namespace with a VXLAN device in a user namespace. */
export function describeInUserNamespaces(name: string, body: () => void): void {
  const device = ['link', 'add', 'vx0', 'type', 'vxlan', 'id', '1', 'dstport', '4789', 'local', '127.0.0.1'];
  const { status } = spawnSync('unshare', ['--user', '--map-root-user', '--net', '--', 'ip', ...device]);
  describeUnless(status === 0 ? undefined : 'they need user namespaces with VXLAN devices', name, body);
}

function describeUnless(reason: string | undefined, name: string, body: () => void): void {
  if (reason === undefined) {
    describe(name, body);
    return;
  }
  if (process.env.CI === 'true') throw new Error(`'${name}' cannot run: ${reason}, and in CI nothing is skipped`);
  console.warn(`skipped '${name}': ${reason}`);
  describe.skip(`${name} (${reason})`, body);
}

let counter = 0;

/** Returns a name for a namespace that no other test run uses. */
export function uniqueName(prefix: string): string {
  counter += 1;
  return `${prefix}${process.pid.toString(36)}${counter.toString(36)}${Math.floor(Math.random() * 36 ** 4).toString(36)}`;
}
