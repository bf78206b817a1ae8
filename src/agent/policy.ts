/** Checks every request against the policy of the slice on this node. */
import { isIPv4 } from 'node:net';
import { containsAddress, containsPrefix, formatPrefix, parseAddress, parsePrefix } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import type { FlowEntry, SwitchConfig } from '../model/flow-entry.ts';
import { type IdRange, leadNexthop } from '../model/ids.ts';
import { parseNtpServer, unfitForServer } from '../model/ntp-server.ts';
import { onceFor } from '../model/once.ts';
import { checkDaemonConfig } from '../vsys/daemon-config.ts';
import type { Method, Params } from '../vsys/messages.ts';
import { type Operation, prefixesOf } from '../vsys/operations.ts';
import { allowsName, namedOnly, type Policy } from '../vsys/policy.ts';
import { parseSwitch } from '../vsys/switch-config.ts';
import { subjectsOf } from './dataplane/armable.ts';
import type { OtherSlice } from './other-slices.ts';

const loopback = parsePrefix('127.0.0.0/8');

/** Addresses to which no tunnel can lead, since they are not single hosts elsewhere. More specific ones come first. */
const noRemotes = (
  [
    ['0.0.0.0/8', 'not an address of another host'],
    ['127.0.0.0/8', 'a loopback address'],
    ['224.0.0.0/4', 'a multicast address'],
    ['255.255.255.255/32', 'the broadcast address'],
    ['240.0.0.0/4', 'a reserved address'],
  ] as const
).map(([prefix, is]) => ({ prefix: parsePrefix(prefix), is }));

/** Another slice, to which no packets may be sent. */
export type OtherSubnet = Pick<OtherSlice, 'slice' | 'vnet' | 'file'>;

/** Whether `checkRequest` needs to know the other slices' subnets. */
export function concernsOtherSlices<M extends Method>(method: M, params: Params<M>): boolean {
  if (method === 'path_mtu' || method === 'utc') return true;
  return (
    method === 'apply' &&
    (params as Params<'apply'>).operations.some(({ op }) => op === 'tunnel_up' || op === 'control_up')
  );
}

/**
 * Throws VnmError `forbidden` that names the first value outside the slice and what is allowed. `others`: the other
 * slices on this node.
 */
export function checkOperation(
  policy: Policy,
  operation: Operation,
  others: readonly OtherSubnet[] = [],
  isOwnNode = false,
): void {
  // Only a shorter way to write it.
  checkAllowed(policy, operation.op === 'vroutes' ? 'vroute' : operation.op, isOwnNode);
  const check = checksOf(policy);
  if ('namespace' in operation) check.namespace(operation.namespace);
  if ('interface' in operation) check.interface(operation.interface);
  switch (operation.op) {
    case 'tunnel_up':
      checkTunnel(check, operation, others);
      break;
    case 'vif_up':
      check.address('address', operation.address);
      check.address('peer', operation.peer.address);
      break;
    case 'vif_down':
      check.address('address', operation.address);
      break;
    case 'vroute':
    case 'vroutes':
      for (const prefix of prefixesOf(operation)) check.prefix(prefix);
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
    case 'forward_up':
      checkForward(check, operation);
      break;
    case 'forward_down':
      if (operation.side === 'deliver') check.address('address', operation.address);
      break;
    case 'daemon_up':
      if (operation.kind === 'openvswitch') checkSwitch(check, parseSwitch(operation.config));
      else checkDaemonConfig(operation.kind, operation.config);
      break;
    case 'machine_up':
      for (const port of operation.ports) {
        check.interface(port.interface);
        check.address('address', port.address);
        check.address('peer', port.peer.address);
      }
      break;
    case 'control_up':
      if (operation.sendTo !== undefined) check.remote('other place', operation.sendTo, others);
      break;
    case 'netns_up':
    case 'netns_down':
    case 'daemon_down':
    case 'daemon_leave':
    case 'control_down':
    case 'machine_down':
    case 'tunnel_down':
    case 'rule_up':
    case 'rule_down':
    case 'gate_up':
    case 'gate_down':
  }
}

function checkTunnel(check: Checks, operation: TunnelUp, others: readonly OtherSubnet[]): void {
  const checkSecond = (address: string | undefined) => {
    if (address !== undefined)
      check.remote('second tunnel end', address, others, ` of interface '${operation.interface}'`);
  };
  switch (operation.kind) {
    case 'vxlan':
      check.vni(operation.vni);
      check.port(operation.port);
      check.remote('tunnel end', operation.remote, others, ` of interface '${operation.interface}'`);
      checkSecond(operation.alsoFrom);
      if (operation.local !== undefined) check.remote('tunnel source', operation.local, others);
      break;
    case 'udp':
      check.vni(operation.vni);
      check.port(operation.port);
      check.remote('tunnel end', operation.remote, others, ` of interface '${operation.interface}'`);
      if (operation.alsoFrom !== undefined) check.port(operation.alsoFrom.port);
      checkSecond(operation.alsoFrom?.address);
      break;
    case 'local':
      check.interface(operation.peer.interface);
      check.namespace(operation.peer.namespace);
  }
}

/** A switch forwards only between the slice's interfaces, and only packets of the slice. */
function checkSwitch(check: Checks, { ports, entries }: SwitchConfig): void {
  for (const { interface: name } of ports) check.interface(name);
  checkEntries(check, entries);
}

function checkEntries(check: Checks, entries: readonly FlowEntry[]): void {
  for (const { in: port, source, destination, output } of entries) {
    if (port !== undefined) check.interface(port);
    if (source !== undefined) check.prefix(source);
    check.prefix(destination);
    check.interface(output.interface);
  }
}

/** A program may be reached at any port of its own node; what listens there must not take the place of a service. */
function checkForward(check: Checks, operation: ForwardUp): void {
  check.address('address', operation.address);
  if (operation.side === 'deliver') return;
  check.port(operation.localPort);
  check.address('destination', operation.to.address);
}

type ForwardUp = Extract<Operation, { op: 'forward_up' }>;
type TunnelUp = Extract<Operation, { op: 'tunnel_up' }>;

const always: readonly Method[] = [
  'hello',
  'claim',
  'shutdown',
  'confirm',
  'collisions',
  'exec_read',
  'exec_write',
  'exec_signal',
];

/** Methods that go on with another one, or prepare an operation, and are allowed with it. */
const allowedWith: Partial<Record<Method, string>> = {
  daemon_image_read: 'daemon_dump',
  daemon_settle: 'daemon_dump',
  console: 'exec',
  console_log: 'exec',
  image_state: 'machine_up',
  image_write: 'machine_up',
  machine_copy_read: 'machine_copy',
  machine_copy_write: 'machine_up',
  machine_go_on: 'machine_up',
  daemon_image_write: 'daemon_restore',
};

/**
 * Checks a whole request in the same way. `hello`, `claim` and `shutdown` are always allowed (otherwise no other
 * command, version or policy could take over), and so are the methods that only protect the node (`confirm`,
 * `collisions`) or go on with a command that was allowed. `apply` is allowed if its operations are.
 */
export function checkRequest<M extends Method>(
  policy: Policy,
  method: M,
  params: Params<M>,
  others: readonly OtherSubnet[] = [],
  isOwnNode = false,
): void {
  if (always.includes(method)) return;
  if (method !== 'apply') checkAllowed(policy, allowedWith[method] ?? method, isOwnNode);
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
      for (const operation of request.params.operations) checkOperation(policy, operation, others, isOwnNode);
      break;
    case 'routes':
    case 'daemon_state':
    case 'daemon_dump':
    case 'daemon_image_read':
    case 'daemon_image_write':
    case 'daemon_restore':
    case 'daemon_settle':
    case 'machine_copy':
    case 'machine_copy_read':
    case 'machine_copy_write':
    case 'machine_go_on':
    case 'neighbour_events':
      check.namespace(request.params.namespace);
      break;
    case 'exec':
    case 'console':
    case 'console_log':
      check.namespace(request.params.namespace);
      break;
    case 'capture':
      check.namespace(request.params.namespace);
      check.interface(request.params.interface);
      break;
    case 'path_mtu':
      for (const remote of request.params.remotes) check.remote('remote', remote, others);
      break;
    case 'utc':
      // The addresses of a name are only known when it is resolved (time-servers.ts).
      for (const server of request.params.ntpServers) {
        const { host } = parseNtpServer(server);
        if (isIPv4(host)) check.serverAddress(`NTP server ${server}`, parseAddress(host), others);
      }
      break;
    case 'redirect':
      checkGroups(request.params.groups);
      break;
    case 'arm':
      for (const { groups, gates } of request.params.actions.map(subjectsOf)) {
        checkGroups(groups);
        for (const name of gates) check.interface(name);
      }
      for (const action of request.params.actions) {
        if (action.kind === 'flow') {
          check.namespace(action.namespace);
          checkEntries(check, action.entries);
        } else if (action.kind === 'neighbour') {
          check.interface(action.interface);
          check.address('neighbour', action.address);
        }
      }
      break;
    case 'stream_open':
      check.address('address', request.params.address);
      check.address('sender', request.params.sender);
      break;
    case 'stream_send':
      check.address('from', request.params.from);
      check.address('to', request.params.to);
      break;
    case 'reach':
      check.address('from', request.params.from);
      for (const to of request.params.to) check.address('to', to);
      break;
    case 'packet_sizes':
      for (const { namespace, from, to } of request.params.probes) {
        check.namespace(namespace);
        check.address('from', from);
        check.address('to', to);
      }
      break;
    case 'watch':
      check.address('from', request.params.from);
      for (const { to } of request.params.targets) check.address('to', to);
  }
}

/** Checks that the agent may send to a time server at this address; throws as `checkOperation`. */
export function checkServerAddress(
  policy: Policy,
  what: string,
  address: number,
  others: readonly OtherSubnet[],
): void {
  checksOf(policy).serverAddress(what, address, others);
}

function checkAllowed(policy: Policy, name: string, isOwnNode = false): void {
  if (allowsName(policy, name, isOwnNode)) return;
  const { operations, slice } = policy;
  const allowed = operations.join(', ') || 'nothing';
  const isNamedOnly = operations.includes('*') && namedOnly.some((one) => one === name);
  throw new VnmError('forbidden', `slice '${slice}' may not use '${name}' on this node (allowed: ${allowed})`, {
    hint: isNamedOnly
      ? `'*' does not include it: ask the administrator of the node to allow it by name (pl-vnm agent install SLICE.yaml --operations '*,${name}')`
      : undefined,
  });
}

interface Checks {
  namespace(name: string | undefined): void;
  interface(name: string): void;
  address(what: string, address: string | undefined): void;
  prefix(prefix: string): void;
  vni(vni: number): void;
  port(port: number): void;
  nexthop(id: number | undefined): void;
  /** Checks a group and its lead nexthop. */
  group(id: number): void;
  remote(what: string, address: string, others: readonly OtherSubnet[], where?: string): void;
  serverAddress(what: string, address: number, others: readonly OtherSubnet[]): void;
}

/** One per policy: a batch may have many thousand operations. */
const checksOf = onceFor(createChecks);

function createChecks({ slice, vnet, interfacePrefix, namespacePrefix, nexthops, vnis, userspace }: Policy): Checks {
  const subnet = parsePrefix(vnet);
  const isOnLoopback = userspace !== undefined && containsAddress(loopback, parseAddress(userspace.address));

  function refuse(what: string, allowed: string, hint?: string): never {
    throw new VnmError('forbidden', `${what} does not belong to slice '${slice}' (allowed: ${allowed})`, { hint });
  }
  function checkName(what: string, name: string, prefix: string): void {
    if (!name.startsWith(prefix) || name === prefix) refuse(`${what} '${name}'`, `names that begin with ${prefix}`);
  }
  function checkId(what: string, id: number, { first, last }: IdRange): void {
    if (id < first || id > last) refuse(`${what} ${id}`, `${first} to ${last}`);
  }
  function checkOtherSubnets(what: string, address: number, others: readonly OtherSubnet[]): void {
    const owner = others.find((other) => containsAddress(other.vnet, address));
    if (owner === undefined) return;
    const hint = `slice '${owner.slice}' is on this node (${owner.file}); give one of the two another vnet, or run \`pl-vnm agent list\``;
    refuse(what, `addresses outside vnet ${formatPrefix(owner.vnet)} of slice '${owner.slice}'`, hint);
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
    // The agent receives at this port of the node's own stack; lower ones belong to the system's services.
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
    remote(what, address, others, where = '') {
      const host = parseAddress(address);
      if (isOnLoopback && containsAddress(loopback, host)) return;
      const found = noRemotes.find(({ prefix }) => containsAddress(prefix, host));
      const is = containsAddress(subnet, host) ? `an address inside the vnet of slice '${slice}' (${vnet})` : found?.is;
      if (is !== undefined) {
        throw new VnmError('forbidden', `${what} ${address}${where} is ${is}`, {
          hint: 'give an address at which the nodes can reach each other',
        });
      }
      checkOtherSubnets(`${what} ${address}`, host, others);
    },
    serverAddress(what, address, others) {
      if (unfitForServer(address) !== undefined || containsAddress(subnet, address)) {
        refuse(what, `addresses of other hosts outside ${vnet}; not loopback, link-local or multicast`);
      }
      checkOtherSubnets(what, address, others);
    },
  };
}
