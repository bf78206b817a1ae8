/** The other slices of this node whose subnets are not to be touched. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Prefix } from '../model/address.ts';
import { parsePrefix } from '../model/address.ts';
import type { Policy } from '../vsys/policy.ts';
import { isInstalled } from '../vsys/presence.ts';
import { readMarks } from './dataplane/kernel/presence.ts';
import { readPolicies } from './policy-file.ts';

export interface OtherSlice {
  readonly slice: string;
  readonly vnet: Prefix;
  /** Path of its policy. */
  readonly file: string;
  readonly policy: Policy;
}

/**
 * Those that have something installed here, and those that an administrator put here (`lib`: where its command would be). A policy of a
 * slice that has nothing here, as earlier versions left it behind after a look, is in no one's way.
 */
export async function otherSlices(directory: string, lib: string, slice: string): Promise<OtherSlice[]> {
  const others = (await readPolicies(directory)).filter(({ policy }) => policy.slice !== slice);
  if (others.length === 0) return [];
  const marks = await readMarks();
  return others
    .filter(({ policy }) => isAdministrators(lib, policy.slice) || isInstalled(policy, marks))
    .map(({ file, policy }) => ({ slice: policy.slice, vnet: parsePrefix(policy.vnet), file, policy }));
}

/** Whether `agent install` put the slice's agent on this node. */
export function isAdministrators(lib: string, slice: string): boolean {
  return existsSync(join(lib, `attach-${slice}`));
}
