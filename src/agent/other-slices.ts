/** The other slices on this node, whose subnets must not be touched. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Prefix, parsePrefix } from '../model/address.ts';
import type { Policy } from '../vsys/policy.ts';
import { isInstalled } from '../vsys/presence.ts';
import { readMarks } from './dataplane/kernel/presence.ts';
import { readPolicies } from './policy-file.ts';

export interface OtherSlice {
  readonly slice: string;
  readonly vnet: Prefix;
  /** Path of its policy file. */
  readonly file: string;
  readonly policy: Policy;
}

/**
 * Returns the slices that have something installed here, and those that an administrator installed (`lib`: the
 * directory of their commands). It skips policies of slices with nothing here: earlier versions left such policies
 * behind after they inspected a node.
 */
export async function otherSlices(directory: string, lib: string, slice: string): Promise<OtherSlice[]> {
  const others = (await readPolicies(directory)).filter(
    // The stacks of a userspace slice are its agent's own.
    ({ policy }) => policy.slice !== slice && policy.userspace === undefined,
  );
  if (others.length === 0) return [];
  const marks = await readMarks();
  return others
    .filter(({ policy }) => isInstalledByAdministrator(lib, policy.slice) || isInstalled(policy, marks))
    .map(({ file, policy }) => ({ slice: policy.slice, vnet: parsePrefix(policy.vnet), file, policy }));
}

/** Whether `agent install` put the slice's agent on this node. */
export function isInstalledByAdministrator(lib: string, slice: string): boolean {
  return existsSync(join(lib, `attach-${slice}`));
}
