import { spawnSync } from 'node:child_process';
import { describe, it } from 'vitest';
import { commandPath } from '../../src/model/command-path.ts';
import { describeAsRoot } from './privileges.ts';

/** `describeAsRoot` for tests that also need a program. If it is missing, skips them with a warning; in CI, fails. */
export function describeWithProgram(program: string, name: string, body: () => void): void {
  if (commandPath(program) !== undefined) {
    describeAsRoot(name, body);
    return;
  }
  describe.skip(`${name} (${missing(program, name)})`, body);
}

/** As `describeWithProgram`, for tests that do not need root. */
export function describeWithoutRoot(program: string, name: string, body: () => void): void {
  if (commandPath(program) !== undefined) describe(name, body);
  else describe.skip(`${name} (${missing(program, name)})`, body);
}

/**
 * `it` for a test that needs a program, but not root. If it is missing, skips the test with a warning; in CI, fails.
 */
export function itWithProgram(program: string, name: string, body: () => Promise<void>): void {
  if (commandPath(program) !== undefined) it(name, body);
  else it.skip(`${name} (${missing(program, name)})`, body);
}

/** As `describeWithProgram`, for BIRD and a CRIU that can take a checkpoint of it (`.ci/criu`). */
export function describeWithCriu(name: string, body: () => void): void {
  const versionLine = spawnSync('criu', ['--version'], { encoding: 'utf8' }).stdout ?? '';
  const [, major = 0, minor = 0] = /Version: (\d+)\.(\d+)/.exec(versionLine) ?? [];
  const isEnough = Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 2);
  if (isEnough) describeWithProgram('bird', name, body);
  else describe.skip(`${name} (${missing('criu 4.2', name)})`, body);
}

/** Returns why it cannot run, and warns. Throws in CI. */
function missing(program: string, name: string): string {
  const reason = `they need '${program}', which is not installed`;
  if (process.env.CI === 'true') throw new Error(`'${name}' cannot run: ${reason}, and in CI nothing is skipped`);
  console.warn(`skipped '${name}': ${reason}`);
  return reason;
}
