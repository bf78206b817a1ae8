import { describe } from 'vitest';
import { commandPath } from '../../src/testbed/dataplane.ts';
import { describeAsRoot } from './privileges.ts';

/** `describeAsRoot` for tests that also need a program. If it is missing, skips them with a warning; in CI, fails. */
export function describeWithProgram(program: string, name: string, body: () => void): void {
  if (commandPath(program) !== undefined) {
    describeAsRoot(name, body);
    return;
  }
  const reason = `they need '${program}', which is not installed`;
  if (process.env.CI === 'true') throw new Error(`'${name}' cannot run: ${reason}, and in CI nothing is skipped`);
  console.warn(`skipped '${name}': ${reason}`);
  describe.skip(`${name} (${reason})`, body);
}
