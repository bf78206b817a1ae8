/** The agent on shared nodes, put there and taken off by their administrator. Needs no database: it is not the slice's user's machine. */

import { overlaps, parsePrefix } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import type { IdRange } from '../model/ids.ts';
import type { NodeName } from '../model/names.ts';
import type { Slice, SubstrateNode } from '../model/slice.ts';
import { combine } from '../transport/agent-connection.ts';
import { type InstalledAgent, type InstallTarget, installAgent } from '../transport/agent-install.ts';
import { uninstallAgent } from '../transport/agent-uninstall.ts';
import { loginPattern } from '../transport/installed-files.ts';
import { requestSchemas } from '../vsys/messages.ts';
import { operationNames } from '../vsys/operations.ts';
import { type Policy, policySchema } from '../vsys/policy.ts';
import { type Context, signalOption } from './base/context.ts';
import { defaultPolicy } from './nodes/agents.ts';

export interface AdminOptions {
  /** Names of nodes; all of the slice when there is none. */
  readonly nodes: readonly NodeName[];
  /** The slice's login, where it is not the one that the slice file names. */
  readonly login?: string;
  readonly adminUser: string;
  /** Path of a private key; without it the ssh agent and the usual keys are tried. */
  readonly adminKey?: string;
}

export interface PolicyOptions {
  /** By name; those not named stay as they are on the node. */
  readonly limits: Readonly<Record<string, number>>;
  /** Names of allowed operations and methods, `*` for all; without it they stay as they are. */
  readonly operations?: readonly string[];
}

type AdminContext = Pick<Context, 'acceptNewHostKeys' | 'report' | 'signal'>;

/**
 * Installs or updates the agent on all the nodes at once; each has all of it or none. When some fail, waits for all, and throws one
 * error that names each of these. VnmError as `installAgent`, and `usage`, `not-found`, `conflict` (with another slice's policy).
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

/** Takes the agent off the nodes. Answers of each whether there was one. Errors as `installAgents` and `uninstallAgent`. */
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
      hint: `it has ${[...slice.nodes.keys()].join(', ')}`,
    });
  });
}

function targetOf(slice: Slice, node: SubstrateNode, { login, adminUser, adminKey }: AdminOptions): InstallTarget {
  const { name, host, port = 22, user = 'root' } = node;
  if (host === undefined) {
    throw new VnmError('usage', `node '${name}' of slice '${slice.name}' has no host: it is for the local testbed`, {
      hint: 'name the others with --node',
    });
  }
  const sliceLogin = login ?? user;
  if (sliceLogin === 'root') {
    throw new VnmError('forbidden', `the slice's login on node '${name}' is root, which nothing confines`, {
      hint: "give the node a 'user' in the slice file, or name the slice's login with --login",
    });
  }
  if (!loginPattern.test(sliceLogin)) {
    throw new VnmError('usage', `'${sliceLogin}' is not a login that a sudo rule may name`, {
      hint: 'it begins with a small letter or _, and has letters, digits, and _ . - only',
    });
  }
  return {
    node: name,
    host,
    port,
    user: adminUser,
    ...(adminKey === undefined ? {} : { keyPath: adminKey }),
    slice: slice.name,
    login: sliceLogin,
  };
}

/** Throws VnmError `usage` for names that mean nothing, `invalid-input` for values that are none. */
function checkPolicyOptions(slice: Slice, options: PolicyOptions): PolicyOptions {
  const known = Object.keys(defaultPolicy(slice).limits);
  const allowed = ['*', ...operationNames, ...Object.keys(requestSchemas)];
  for (const [what, names, all] of [
    ['limit', Object.keys(options.limits), known],
    ['operation', options.operations ?? [], allowed],
  ] as const) {
    const unknown = names.find((name) => !all.includes(name));
    if (unknown === undefined) continue;
    throw new VnmError('usage', `there is no ${what} '${unknown}'`, { hint: `there are ${all.join(', ')}` });
  }
  const { success } = policySchema.shape.limits.safeParse(options.limits);
  if (success) return options;
  throw new VnmError('usage', 'a limit must be a whole number from 0 on, and trafficBps any number from 0 on');
}

/** Subnet, names and ids are the slice file's. What an administrator allowed before stays, unless the options set it again. */
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

function sharedBy(a: Policy, b: Policy): string | undefined {
  const meet = (x: IdRange, y: IdRange) => x.first <= y.last && y.first <= x.last;
  const begin = (x: string, y: string) => x.startsWith(y) || y.startsWith(x);
  const vnets = [a, b].map(({ vnet }) => parsePrefix(vnet)) as [
    ReturnType<typeof parsePrefix>,
    ReturnType<typeof parsePrefix>,
  ];
  if (overlaps(...vnets)) return `addresses (${a.vnet} and ${b.vnet})`;
  if (begin(a.interfacePrefix, b.interfacePrefix)) return `interface names (${a.interfacePrefix})`;
  if (begin(a.namespacePrefix, b.namespacePrefix)) return `namespace names (${a.namespacePrefix})`;
  if (a.table === b.table) return `routing table ${a.table}`;
  if (a.rulePriority === b.rulePriority) return `rule priority ${a.rulePriority}`;
  if (meet(a.nexthops, b.nexthops)) return 'nexthop ids';
  if (meet(a.vnis, b.vnis)) return 'VNIs';
  return undefined;
}
