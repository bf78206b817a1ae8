/** The policy file: it says what a slice may do on this node. It belongs to root; each slice has one. */
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { parsePrefix } from '../model/address.ts';
import { readBoundedText } from '../model/bounded-file.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { earlierOwnLimits } from '../model/limits.ts';
import { type Policy, policySchema, writablePolicy } from '../vsys/policy.ts';

/** The policy that an agent enforces, and its file. */
export interface PolicyFile {
  readonly policy: Policy;
  /** Whether the policy is in a file: only then does it restrict other slices. */
  exists(): boolean;
  /**
   * Writes a policy that the controller brought when the first thing is installed, and removes it when the last thing
   * is gone. A policy that someone else wrote or changed stays.
   */
  settle(isInstalled: boolean): Promise<void>;
}

/**
 * Returns the policy for the slice. `brought`: the policy that a controller brought to a node where its login is root.
 * It is used if there is no file, or only one that an earlier version left behind after it inspected the node; that
 * file is removed. Throws as `loadPolicy`.
 */
export async function openPolicy(
  directory: string,
  slice: string,
  {
    brought,
    isInstalledByAdministrator = false,
  }: { brought?: Policy | undefined; isInstalledByAdministrator?: boolean },
  isInstalled: (policy: Policy) => Promise<boolean>,
): Promise<PolicyFile> {
  const path = join(directory, `${slice}.json`);
  const inFile = await loadPolicy(directory, slice).catch((error: unknown) => {
    if (brought !== undefined && error instanceof VnmError && error.code === 'not-found') return undefined;
    throw error;
  });
  let isRaised =
    inFile !== undefined && brought !== undefined && !isInstalledByAdministrator && isEarlierDefault(inFile, brought);
  const found = isRaised ? { ...inFile!, limits: brought!.limits } : inFile;
  const isLeft =
    found !== undefined &&
    brought !== undefined &&
    !isInstalledByAdministrator &&
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
      else if (!installed && exists && !isInstalledByAdministrator && isDeepStrictEqual(policy, brought))
        await rm(path, { force: true });
      else return;
      isRaised = false;
      exists = installed;
    },
  };
}

/**
 * Whether the limits are defaults that no administrator chose: earlier versions gave them to the user's own nodes.
 */
function isEarlierDefault(found: Policy, brought: Policy): boolean {
  const isEarlier = earlierOwnLimits.some((limits) => isDeepStrictEqual(found.limits, limits));
  return isEarlier && !isDeepStrictEqual(found.limits, brought.limits);
}

/** Whether only the ids differ, as when the slice's vnet or number was changed in the slice file. */
function differsInIdsOnly(a: Policy, b: Policy): boolean {
  const { vnet, interfacePrefix, table, rulePriority, nexthops, vnis } = b;
  const ids = { vnet, interfacePrefix, table, rulePriority, nexthops, vnis };
  return !isDeepStrictEqual(a, b) && isDeepStrictEqual({ ...a, ...ids }, b);
}

/** Writes the file atomically. */
async function writePolicy(directory: string, path: string, policy: Policy): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const fresh = join(directory, `.${policy.slice}.new`);
  await writeFile(fresh, `${JSON.stringify(writablePolicy(policy), null, 2)}\n`, { mode: 0o644 });
  await rename(fresh, path);
}

const maxPolicyBytes = 1024 * 1024;

/**
 * Reads `<directory>/<slice>.json`. Throws VnmError `not-found`, `forbidden` when users other than root can write the
 * file, and `invalid-input` for invalid content.
 */
export async function loadPolicy(directory: string, slice: string): Promise<Policy> {
  const path = join(directory, `${slice}.json`);
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new VnmError('not-found', `this node has no policy for slice '${slice}' (${path})`, {
      hint: 'ask the administrator of the node to run `pl-vnm agent install`',
    });
  });
  try {
    const stats = await file.stat();
    const { uid, mode } = stats;
    if (!stats.isFile() || stats.size > maxPolicyBytes) {
      throw new VnmError(
        'invalid-input',
        `invalid policy ${path}: not a regular file of at most ${maxPolicyBytes / 1024} KiB`,
      );
    }
    // An agent that does not run as root can do no more than its login, whoever wrote its policy.
    const owners = [0, process.getuid?.()];
    if (!owners.includes(uid) || (mode & 0o022) !== 0) {
      throw new VnmError('forbidden', `users other than root can write the policy ${path}`, {
        hint: `run \`chown root ${path}; chmod 644 ${path}\``,
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
    throw new VnmError('invalid-input', `invalid policy ${path}: ${why}`, { cause: error });
  }
}

/** Returns all valid policies. A slice whose policy is invalid has no agent, and so nothing to protect. */
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
