/**
 * Installs and uninstalls the agent on shared nodes, for their administrator. Needs no database: the administrator's
 * machine is not that of the slice's user.
 */

import { VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';
import type { Slice, SubstrateNode } from '../model/slice.ts';
import { combine } from '../transport/agent-connection.ts';
import { type InstalledAgent, type InstallTarget, installAgent } from '../transport/agent-install.ts';
import { uninstallAgent } from '../transport/agent-uninstall.ts';
import { requestSchemas } from '../vsys/messages.ts';
import { operationNames } from '../vsys/operations.ts';
import { namedOnly, type Policy, policySchema, sharedBy } from '../vsys/policy.ts';
import { loginPattern } from '../vsys/sudo-rule.ts';
import { type Context, signalOption } from './base/context.ts';
import { defaultPolicy } from './nodes/agents.ts';

export interface AdminOptions {
  /** Names of nodes; if empty, all nodes of the slice. */
  readonly nodes: readonly NodeName[];
  /** The slice's login, if it differs from the one in the slice file. */
  readonly login?: string;
  readonly adminUser: string;
  /** Path of a private key; if absent, the ssh agent and the usual keys are tried. */
  readonly adminKey?: string;
}

export interface PolicyOptions {
  /** By name. Limits that are not named stay as they are on the node. */
  readonly limits: Readonly<Record<string, number>>;
  /** Names of the allowed operations and methods, as in the policy; if absent, they stay as they are. */
  readonly operations?: readonly string[];
}

type AdminContext = Pick<Context, 'acceptNewHostKeys' | 'report' | 'signal'>;

/**
 * Installs or updates the agent on all nodes in parallel, on each completely or not at all. When nodes fail, waits for
 * all of them and throws one error that names each. Errors as `installAgent`, and `usage`, `not-found`, `conflict`
 * (with another slice's policy).
 */
export async function installAgents(
  context: AdminContext,
  slice: Slice,
  options: AdminOptions & PolicyOptions,
): Promise<InstalledAgent[]> {
  const { limits, operations } = checkPolicyOptions(slice, options);
  return onNodes(slice, options, async (target) => {
    const installed = await installAgent(target, sshOptions(context), (present) => {
      const policy = mergePolicy(defaultPolicy(slice), present, { limits, ...(operations && { operations }) });
      refuseOverlap(target.node, policy, present);
      return policy;
    });
    context.report({ kind: 'note', text: `${target.node}: ${installed.change}` });
    return installed;
  });
}

/**
 * Uninstalls the agent from the nodes. Returns for each whether it had one. Errors as `installAgents` and
 * `uninstallAgent`.
 */
export async function uninstallAgents(
  context: AdminContext,
  slice: Slice,
  options: AdminOptions,
): Promise<{ node: NodeName; removed: boolean }[]> {
  return onNodes(slice, options, async (target) => {
    return { node: target.node, removed: await uninstallAgent(target, sshOptions(context), defaultPolicy(slice)) };
  });
}

async function onNodes<T>(
  slice: Slice,
  options: AdminOptions,
  body: (target: InstallTarget) => Promise<T>,
): Promise<T[]> {
  const targets = targetsOf(slice, options);
  const settled = await Promise.allSettled(targets.map(body));
  const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (failures.length > 0) throw combine(failures);
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

function sshOptions(context: AdminContext) {
  return { acceptNewHostKeys: context.acceptNewHostKeys, ...signalOption(context) };
}

function targetsOf(slice: Slice, options: AdminOptions): InstallTarget[] {
  const names = options.nodes.length > 0 ? [...new Set(options.nodes)] : [...slice.nodes.keys()];
  return names.map((name) => {
    const node = slice.nodes.get(name);
    if (node !== undefined) return targetOf(slice, node, options);
    throw new VnmError('not-found', `slice '${slice.name}' has no substrate node '${name}'`, {
      hint: `its nodes are ${[...slice.nodes.keys()].join(', ')}`,
    });
  });
}

function targetOf(slice: Slice, node: SubstrateNode, { login, adminUser, adminKey }: AdminOptions): InstallTarget {
  const { name, host, port, user = 'root', ssh } = node;
  if (host === undefined) {
    throw new VnmError('usage', `node '${name}' of slice '${slice.name}' has no host: it is for the local testbed`, {
      hint: 'select the other nodes with --node',
    });
  }
  const sliceLogin = login ?? user;
  if (sliceLogin === 'root') {
    throw new VnmError('forbidden', `the slice's login on node '${name}' is root, which cannot be confined`, {
      hint: "give the node a 'user' in the slice file, or name the slice's login with --login",
    });
  }
  if (!loginPattern.test(sliceLogin)) {
    throw new VnmError('usage', `invalid login '${sliceLogin}': a sudo rule cannot name it`, {
      hint: 'use a login that begins with a lower-case letter or _ and contains only letters, digits, _, . and -',
    });
  }
  return {
    node: name,
    host,
    user: adminUser,
    ...(port === undefined ? {} : { port }),
    ...(adminKey === undefined ? {} : { keyPath: adminKey }),
    ...(ssh === undefined ? {} : { ssh }),
    slice: slice.name,
    login: sliceLogin,
  };
}

/** Throws VnmError `usage` for unknown names and invalid values. */
function checkPolicyOptions(slice: Slice, options: PolicyOptions): PolicyOptions {
  const known = Object.keys(defaultPolicy(slice).limits);
  const allowed = [...new Set(['*', ...operationNames, ...Object.keys(requestSchemas), ...namedOnly])];
  for (const [what, names, all] of [
    ['limit', Object.keys(options.limits), known],
    ['operation', options.operations ?? [], allowed],
  ] as const) {
    const unknown = names.find((name) => !all.includes(name));
    if (unknown === undefined) continue;
    throw new VnmError('usage', `unknown ${what} '${unknown}'`, { hint: `the ${what}s are ${all.join(', ')}` });
  }
  const { success } = policySchema.shape.limits.safeParse(options.limits);
  if (success) return options;
  throw new VnmError(
    'usage',
    'invalid limit: limits are whole numbers of at least 0; only trafficBps may have a fraction',
  );
}

/**
 * Subnet, names and ids come from the slice file. What an administrator allowed before stays unless the options change
 * it.
 */
export function mergePolicy(own: Policy, present: readonly Policy[], { limits, operations }: PolicyOptions): Policy {
  const before = present.find(({ slice }) => slice === own.slice);
  return {
    ...own,
    operations: [...(operations ?? before?.operations ?? own.operations)],
    limits: { ...own.limits, ...before?.limits, ...limits },
  };
}

/** Slices on one node must not share anything. Throws VnmError `conflict`. */
export function refuseOverlap(node: NodeName, policy: Policy, present: readonly Policy[]): void {
  for (const other of present.filter(({ slice }) => slice !== policy.slice)) {
    const shared = sharedBy(policy, other);
    if (shared === undefined) continue;
    throw new VnmError(
      'conflict',
      `node '${node}': slices '${policy.slice}' and '${other.slice}' would share ${shared}`,
      {
        hint: 'give one of them another vnet or number in its slice file',
      },
    );
  }
}
