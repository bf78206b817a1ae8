/** The policy of a slice on this node, and the check of everything that is asked against it. */
import { open, readdir, readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { containsAddress, containsPrefix, overlaps, type Prefix, parseAddress, parsePrefix } from '../model/address.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { type IdRange, leadNexthop } from '../model/ids.ts';
import type { Method, Params } from '../vsys/messages.ts';
import type { Operation } from '../vsys/operations.ts';
import { type Policy, policySchema } from '../vsys/policy.ts';

/** Tunnel packets go to one host elsewhere: not to this network, to this host or to many. */
const noRemotes = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].map(parsePrefix);

/**
 * Reads `<directory>/<slice>.json`. Throws VnmError `not-found`, `forbidden` when the file is not root's alone to write, and
 * `invalid-input` for one with faults.
 */
export async function loadPolicy(directory: string, slice: string): Promise<Policy> {
  const path = join(directory, `${slice}.json`);
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new VnmError('not-found', `this node has no policy for slice '${slice}' (${path})`, {
      hint: 'the administrator of the node puts it there: pl-vnm agent install',
    });
  });
  try {
    const { uid, mode } = await file.stat();
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

/**
 * Subnets of the other slices that have a policy in the directory. Without them tunnel packets and the like could be sent into
 * their networks. A policy with faults has no agent, and so nothing to protect.
 */
export async function otherSubnets(directory: string, slice: string): Promise<Prefix[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.json') && file !== `${slice}.json`);
  const subnets = await Promise.all(files.map((file) => readSubnet(join(directory, file))));
  return subnets.filter((subnet) => subnet !== undefined);
}

async function readSubnet(path: string): Promise<Prefix | undefined> {
  try {
    return parsePrefix(parseJson(path, await readFile(path, 'utf8')).vnet);
  } catch (error) {
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isGone || error instanceof VnmError) return undefined;
    throw error;
  }
}

/** Whether `checkRequest` needs to know the other slices' subnets. */
export function concernsOthers<M extends Method>(method: M, params: Params<M>): boolean {
  if (method === 'path_mtu' || method === 'utc') return true;
  return method === 'apply' && (params as Params<'apply'>).operations.some(({ op }) => op === 'tunnel_up');
}

/**
 * Throws VnmError `forbidden` naming the first value outside the slice, and what is allowed. `others`: subnets of other slices
 * on this node.
 */
export function checkOperation(policy: Policy, operation: Operation, others: readonly Prefix[] = []): void {
  checkAllowed(policy, operation.op);
  const check = checksOf(policy);
  if ('namespace' in operation) check.namespace(operation.namespace);
  if ('interface' in operation) check.interface(operation.interface);
  switch (operation.op) {
    case 'tunnel_up':
      if (operation.kind === 'vxlan') {
        check.vni(operation.vni);
        check.port(operation.port);
        check.remote('tunnel end', operation.remote, others);
      } else {
        check.interface(operation.peer.interface);
        check.namespace(operation.peer.namespace);
      }
      break;
    case 'vif_up':
      check.address('address', operation.address);
      check.address('peer', operation.peer.address);
      break;
    case 'vif_down':
      check.address('address', operation.address);
      break;
    case 'vroute':
      check.prefix(operation.prefix);
      for (const nexthop of operation.nexthops) {
        check.interface(nexthop.interface);
        check.address('via', nexthop.via);
      }
      check.nexthop(operation.nexthopId);
      check.address('source', operation.source);
      break;
    case 'nexthop_up':
      check.nexthop(operation.id);
      check.address('via', operation.via);
      break;
    case 'group_up':
      check.group(operation.id);
      for (const id of [...operation.members, operation.active]) check.nexthop(id);
      break;
    case 'nexthop_down':
    case 'group_down':
      check.nexthop(operation.id);
      break;
    case 'netns_up':
    case 'netns_down':
    case 'tunnel_down':
    case 'rule_up':
    case 'rule_down':
    case 'gate_up':
    case 'gate_down':
  }
}

/**
 * The same for a whole request. `hello` and `shutdown` are always allowed (else no other version or policy could take over), `apply`
 * as far as its operations are.
 */
export function checkRequest<M extends Method>(
  policy: Policy,
  method: M,
  params: Params<M>,
  others: readonly Prefix[] = [],
): void {
  if (method === 'hello' || method === 'shutdown') return;
  if (method !== 'apply') checkAllowed(policy, method);
  const check = checksOf(policy);
  const checkGroups = (groups: Params<'redirect'>['groups']) => {
    for (const { id, active } of groups) {
      check.group(id);
      check.nexthop(active);
    }
  };
  const request = { method, params } as { [N in Method]: { method: N; params: Params<N> } }[Method];
  switch (request.method) {
    case 'apply':
      for (const operation of request.params.operations) checkOperation(policy, operation, others);
      break;
    case 'routes':
      check.namespace(request.params.namespace);
      break;
    case 'path_mtu':
      for (const remote of request.params.remotes) check.remote('remote', remote, others);
      break;
    case 'utc':
      for (const server of request.params.ntpServers) check.ntpServer(server, others);
      break;
    case 'redirect':
      checkGroups(request.params.groups);
      break;
    case 'arm':
      for (const action of request.params.actions) {
        if (action.kind === 'redirect') checkGroups(action.groups);
        else check.interface(action.interface);
      }
      break;
    case 'stream_open':
      check.address('address', request.params.address);
      break;
    case 'stream_send':
      check.address('from', request.params.from);
      check.address('to', request.params.to);
      break;
    case 'reach':
      check.address('from', request.params.from);
      for (const to of request.params.to) check.address('to', to);
      break;
    case 'watch':
      check.address('from', request.params.from);
      for (const { to } of request.params.targets) check.address('to', to);
  }
}

function checkAllowed({ operations, slice }: Policy, name: string): void {
  if (operations.includes('*') || operations.includes(name)) return;
  const allowed = operations.join(', ') || 'nothing';
  throw new VnmError('forbidden', `'${name}' is not allowed to slice '${slice}' on this node (allowed: ${allowed})`);
}

interface Checks {
  namespace(name: string | undefined): void;
  interface(name: string): void;
  address(what: string, address: string | undefined): void;
  prefix(prefix: string): void;
  vni(vni: number): void;
  port(port: number): void;
  nexthop(id: number | undefined): void;
  /** With the nexthop that it leads by. */
  group(id: number): void;
  remote(what: string, address: string, others: readonly Prefix[]): void;
  /** Of one told by its name nobody knows here where it is. */
  ntpServer(server: string, others: readonly Prefix[]): void;
}

/** Kept per policy: a batch may have many thousand operations. */
const checksByPolicy = new WeakMap<Policy, Checks>();

function checksOf(policy: Policy): Checks {
  const checks = checksByPolicy.get(policy) ?? createChecks(policy);
  checksByPolicy.set(policy, checks);
  return checks;
}

function createChecks({ slice, vnet, interfacePrefix, namespacePrefix, nexthops, vnis }: Policy): Checks {
  const subnet = parsePrefix(vnet);

  function refuse(what: string, allowed: string): never {
    throw new VnmError('forbidden', `${what} does not belong to slice '${slice}' (allowed: ${allowed})`);
  }
  function checkName(what: string, name: string, prefix: string): void {
    if (!name.startsWith(prefix) || name === prefix) refuse(`${what} '${name}'`, `names that begin with ${prefix}`);
  }
  function checkId(what: string, id: number, { first, last }: IdRange): void {
    if (id < first || id > last) refuse(`${what} ${id}`, `${first} to ${last}`);
  }
  function checkStranger(what: string, address: number, others: readonly Prefix[]): void {
    if (others.some((other) => containsAddress(other, address))) refuse(what, 'addresses outside all other slices');
  }

  return {
    namespace(name) {
      if (name !== undefined) checkName('namespace', name, namespacePrefix);
    },
    interface(name) {
      checkName('interface', name, interfacePrefix);
    },
    address(what, address) {
      if (address !== undefined && !containsAddress(subnet, parseAddress(address))) refuse(`${what} ${address}`, vnet);
    },
    prefix(prefix) {
      if (!containsPrefix(subnet, parsePrefix(prefix))) refuse(`prefix ${prefix}`, `${vnet} and prefixes inside`);
    },
    vni(vni) {
      checkId('VNI', vni, vnis);
    },
    // A tunnel takes its port in the node's own stack; those below are the system's services'.
    port(port) {
      checkId('UDP port', port, { first: 1024, last: 65_535 });
    },
    nexthop(id) {
      if (id !== undefined) checkId('nexthop', id, nexthops);
    },
    group(id) {
      checkId('nexthop', id, nexthops);
      checkId('nexthop', leadNexthop(id), nexthops);
    },
    remote(what, address, others) {
      const host = { base: parseAddress(address), length: 32 };
      if (noRemotes.some((prefix) => overlaps(prefix, host)) || containsAddress(subnet, host.base)) {
        refuse(`${what} ${address}`, `addresses of other nodes, outside ${vnet}, loopback and multicast`);
      }
      checkStranger(`${what} ${address}`, host.base, others);
    },
    ntpServer(server, others) {
      const [host = ''] = server.split(':');
      if (isIPv4(host)) checkStranger(`NTP server ${server}`, parseAddress(host), others);
    },
  };
}
