import { describe } from 'vitest';
import { lackOfPrivileges } from '../../src/testbed/dataplane.ts';

const lack = lackOfPrivileges();
const reason = lack === undefined ? undefined : `they need ${lack} (network namespaces)`;

/** `describe` for tests that make network namespaces. If it cannot, skips them with a warning; in CI, fails. */
export function describeAsRoot(name: string, body: () => void): void {
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
