/** The file that says what a slice may do on this node: root's, one per slice. */
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { parsePrefix } from '../model/address.ts';
import { readBoundedText } from '../model/bounded-file.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { sharedLimits } from '../model/limits.ts';
import { type Policy, policySchema } from '../vsys/policy.ts';

/** The policy that an agent works by, and its file. */
export interface PolicyFile {
  readonly policy: Policy;
  /** Whether it stands in a file: by that alone it binds others. */
  exists(): boolean;
  /**
   * A policy that the controller brought is written with the first thing that is installed, and goes with the last one. What somebody
   * else wrote or changed stays.
   */
  settle(isInstalled: boolean): Promise<void>;
}

/**
 * `brought`: by a controller, on a node where its login is root; it counts where there is no file, or one that an earlier version left
 * behind after it only looked at the node, which is removed. Throws as `loadPolicy`.
 */
export async function openPolicy(
  directory: string,
  slice: string,
  { brought, isAdministrators = false }: { brought?: Policy | undefined; isAdministrators?: boolean },
  isInstalled: (policy: Policy) => Promise<boolean>,
): Promise<PolicyFile> {
  const path = join(directory, `${slice}.json`);
  const inFile = await loadPolicy(directory, slice).catch((error: unknown) => {
    if (brought !== undefined && error instanceof VnmError && error.code === 'not-found') return undefined;
    throw error;
  });
  let isRaised =
    inFile !== undefined && brought !== undefined && !isAdministrators && isEarlierDefault(inFile, brought);
  const found = isRaised ? { ...inFile!, limits: brought!.limits } : inFile;
  const isLeft =
    found !== undefined &&
    brought !== undefined &&
    !isAdministrators &&
    (isDeepStrictEqual(found, brought) || differsInIdsOnly(found, brought)) &&
    !(await isInstalled(found));
  if (isLeft) await rm(path, { force: true });
  let exists = found !== undefined && !isLeft;
  const policy = exists ? found! : brought!;
  return {
    policy,
    exists: () => exists,
    settle: async (installed) => {
      if (installed && (!exists || isRaised)) await writePolicy(directory, path, policy);
      else if (!installed && exists && !isAdministrators && isDeepStrictEqual(policy, brought))
        await rm(path, { force: true });
      else return;
      isRaised = false;
      exists = installed;
    },
  };
}

/** Limits that no administrator chose: an earlier version gave them to nodes of one's own, too. */
function isEarlierDefault(found: Policy, brought: Policy): boolean {
  return isDeepStrictEqual(found.limits, sharedLimits) && !isDeepStrictEqual(found.limits, brought.limits);
}

/** As of the same slice before its vnet or number was changed in the slice file. */
function differsInIdsOnly(a: Policy, b: Policy): boolean {
  const { vnet, interfacePrefix, table, rulePriority, nexthops, vnis } = b;
  const ids = { vnet, interfacePrefix, table, rulePriority, nexthops, vnis };
  return !isDeepStrictEqual(a, b) && isDeepStrictEqual({ ...a, ...ids }, b);
}

/** Appears under its name whole or not at all. */
async function writePolicy(directory: string, path: string, policy: Policy): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const fresh = join(directory, `.${policy.slice}.new`);
  await writeFile(fresh, `${JSON.stringify(policy, null, 2)}\n`, { mode: 0o644 });
  await rename(fresh, path);
}

const maxPolicyBytes = 1024 * 1024;

/**
 * Reads `<directory>/<slice>.json`. Throws VnmError `not-found`, `forbidden` when the file is not root's alone to write, and
 * `invalid-input` for one with faults.
 */
export async function loadPolicy(directory: string, slice: string): Promise<Policy> {
  const path = join(directory, `${slice}.json`);
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new VnmError('not-found', `this node has no policy for slice '${slice}' (${path})`, {
      hint: 'the administrator of the node puts it there: pl-vnm agent install',
    });
  });
  try {
    const stats = await file.stat();
    const { uid, mode } = stats;
    if (!stats.isFile() || stats.size > maxPolicyBytes) {
      throw new VnmError('invalid-input', `the policy ${path} is no file of up to ${maxPolicyBytes / 1024} KiB`);
    }
    if (uid !== 0 || (mode & 0o022) !== 0) {
      throw new VnmError('forbidden', `the policy ${path} can be changed by others than root`, {
        hint: `chown root ${path}; chmod 644 ${path}`,
      });
    }
    return parsePolicy(path, await file.readFile('utf8'), slice);
  } finally {
    await file.close();
  }
}

function parsePolicy(path: string, text: string, slice: string): Policy {
  const policy = parseJson(path, text);
  if (policy.slice === slice) return policy;
  throw new VnmError('forbidden', `the policy ${path} is for slice '${policy.slice}', not '${slice}'`);
}

function parseJson(path: string, text: string): Policy {
  try {
    const policy = policySchema.parse(JSON.parse(text));
    parsePrefix(policy.vnet);
    return policy;
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new VnmError('invalid-input', `the policy ${path} has faults: ${why}`, { cause: error });
  }
}

/** All that are there. One with faults has no agent, and so nothing to protect. */
export async function readPolicies(directory: string): Promise<{ file: string; policy: Policy }[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith('.json')).map((name) => join(directory, name));
  const policies = await Promise.all(files.map(async (file) => ({ file, policy: await readPolicy(file) })));
  return policies.flatMap(({ file, policy }) => (policy === undefined ? [] : [{ file, policy }]));
}

async function readPolicy(path: string): Promise<Policy | undefined> {
  try {
    return parseJson(path, readBoundedText(path, { maxBytes: maxPolicyBytes }));
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall !== undefined && code !== 'ENOENT') throw error;
    return undefined;
  }
}
