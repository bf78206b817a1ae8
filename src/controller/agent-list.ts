/** Lists the slices on nodes, and forgets those that have nothing installed there. */

import { messageOf, VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';
import type { Slice } from '../model/slice.ts';
import { splitJumpHost } from '../model/ssh-way.ts';
import { combine } from '../transport/agent-connection.ts';
import { forgetAgent, listAgents } from '../transport/agent-list.ts';
import type { ListedSlice } from '../transport/slices-there.ts';
import type { SshTarget } from '../transport/ssh-types.ts';
import type { Policy } from '../vsys/policy.ts';
import { type Context, signalOption } from './base/context.ts';
import { looksLikeFile, sliceFromArgument } from './base/slice-argument.ts';
import { defaultPolicy } from './nodes/agents.ts';
import { placesOf } from './nodes/places.ts';

/** Which of the named nodes to contact, and with which login. */
export interface WhereOptions {
  /** Restricts a slice to these nodes; if empty, all of its nodes. */
  readonly nodes: readonly NodeName[];
  /** Replaces the login of the slice file, and with it the key. */
  readonly adminUser?: string;
  readonly adminKey?: string;
}

export interface NodeAgents {
  readonly node: NodeName;
  readonly slices: ListedSlice[];
  /** Why it could not be listed. */
  readonly error?: string;
}

/** Lists every node; one that fails does not hide the others. Throws VnmError when all fail. */
export async function listNodes(
  context: Context,
  words: readonly string[],
  options: WhereOptions,
): Promise<{ nodes: NodeAgents[]; failure?: unknown }> {
  const targets = words.flatMap((word) => targetsOf(context, word, options));
  const failures: unknown[] = [];
  const nodes = await Promise.all(
    distinct(targets).map(async (target): Promise<NodeAgents> => {
      try {
        return { node: target.node, slices: await listAgents(target, sshOptions(context)) };
      } catch (error) {
        context.signal?.throwIfAborted();
        failures.push(error);
        return { node: target.node, slices: [], error: messageOf(error) };
      }
    }),
  );
  if (failures.length === nodes.length && failures.length > 0) throw combine(failures);
  return failures.length === 0 ? { nodes } : { nodes, failure: combine(failures) };
}

/**
 * Forgets a slice (a name, or a slice file) on the nodes that `words` name, or on its own nodes if there are no words.
 * Forgets it on all of them, or throws one error that names each node that refused. Errors as `forgetAgent`, and
 * `usage` for nodes of the local testbed.
 */
export async function forget(
  context: Context,
  argument: string,
  words: readonly string[],
  options: WhereOptions,
): Promise<{ slice: string; nodes: { node: NodeName; removed: boolean }[] }> {
  const slice = knownSlice(context, argument);
  const name = slice?.name ?? argument;
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) throw new VnmError('usage', `invalid slice name '${name}'`);
  if (slice === undefined && words.length === 0) {
    throw new VnmError('not-found', `${context.store.path} has no slice '${name}', so its nodes are unknown`, {
      hint: `name the nodes: pl-vnm agent forget ${name} NODE...`,
    });
  }
  const targets = distinct(
    (words.length > 0 ? words : [argument]).flatMap((word) => targetsOf(context, word, options)),
  );
  const policy: Policy | undefined = slice && defaultPolicy(slice);
  const ofTestbed = targets.find(({ knownHostsPath }) => knownHostsPath !== undefined);
  if (ofTestbed !== undefined) {
    throw new VnmError(
      'usage',
      `node '${ofTestbed.node}' is on the local testbed, which gives its nodes their policies`,
      {
        hint: 'run pl-vnm testbed down to remove them',
      },
    );
  }
  const onAll = async (checkOnly: boolean) => {
    const settled = await Promise.allSettled(
      targets.map((target) => forgetAgent(target, sshOptions(context), name, { fallback: policy, checkOnly })),
    );
    const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    if (failures.length > 0) throw combine(failures);
    return settled.map((one) => one.status === 'fulfilled' && one.value);
  };
  // If one node refuses, nothing is removed from the others.
  await onAll(true);
  const removed = await onAll(false);
  return { slice: name, nodes: targets.map(({ node }, index) => ({ node, removed: removed[index]! })) };
}

function knownSlice(context: Context, argument: string): Slice | undefined {
  return looksLikeFile(argument) ? sliceFromArgument(context.store, argument) : context.store.slices.find(argument);
}

/**
 * The nodes that a word names: a slice file, a slice or a node in the database, or a host. Throws VnmError `not-found`.
 */
function targetsOf(context: Context, word: string, options: WhereOptions): SshTarget[] {
  const slice = knownSlice(context, word);
  if (slice !== undefined) {
    const names = options.nodes.length > 0 ? options.nodes : [...slice.nodes.keys()];
    return placesOf(context, slice, names).map(({ target }) => asAdministrator(target, options));
  }
  const { slices } = context.store;
  const owners = slices.names().map((name) => slices.find(name)!);
  const places = owners
    .filter(({ nodes }) => nodes.has(word))
    .flatMap((owner) => placesOf(context, owner, [word]).map(({ target }) => asAdministrator(target, options)));
  if (places.length > 0) return places;
  const host = parseHost(word);
  if (host !== undefined) return [asAdministrator(host, options)];
  const known = slices.names();
  throw new VnmError('not-found', `'${word}' is neither a slice file nor a slice or node in ${context.store.path}`, {
    hint: `write a host as user@host${known.length === 0 ? '' : `; the slices are ${known.join(', ')}`}`,
  });
}

/** Parses `[user@]host[:port]`; a `.`, `@` or `:` distinguishes it from a misspelt name. */
export function parseHost(word: string): SshTarget | undefined {
  if (!/[.@:]/.test(word)) return undefined;
  const parts = splitJumpHost(word);
  return parts && { node: parts.host, ...parts };
}

function asAdministrator(target: SshTarget, { adminUser, adminKey }: WhereOptions): SshTarget {
  // What else belongs to an agent (AgentTarget) is of its slice.
  const { node, host, port, user, keyPath, knownHostsPath, ssh } = target;
  // Another login needs another key.
  const key = adminKey ?? (adminUser === undefined ? keyPath : undefined);
  const login = adminUser ?? user;
  return {
    ...{ node, host },
    ...(port === undefined ? {} : { port }),
    ...(login === undefined ? {} : { user: login }),
    ...(key === undefined ? {} : { keyPath: key }),
    ...(knownHostsPath === undefined ? {} : { knownHostsPath }),
    ...(ssh === undefined ? {} : { ssh }),
  };
}

/** Without duplicates: several slices may share a node, under one name or several. */
function distinct(targets: readonly SshTarget[]): SshTarget[] {
  return [
    ...new Map(
      targets.map((target) => [JSON.stringify([target.host, target.port ?? 22, target.ssh?.jump]), target]),
    ).values(),
  ];
}

function sshOptions(context: Context) {
  return { acceptNewHostKeys: context.acceptNewHostKeys, ...signalOption(context) };
}
