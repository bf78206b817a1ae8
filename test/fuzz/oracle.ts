/**
 * A second, naive form of what the policy allows, written from docs/vsys.md ("Confinement"). It uses no code under
 * test, so both would have to be wrong in the same way.
 */
import type { Policy } from '../../src/vsys/policy.ts';

type Fields = Record<string, unknown>;

/** Subnets of other slices on the node, as `a.b.c.d/n`. */
export interface World {
  readonly policy: Policy;
  readonly others: readonly string[];
}

/** Whether the policy allows a well-formed request. */
export function allows({ policy, others }: World, method: string, params: unknown): boolean {
  const asked = params as Fields;
  if (['hello', 'claim', 'shutdown', 'confirm', 'collisions'].includes(method)) return true;
  if (['exec_read', 'exec_write', 'exec_signal'].includes(method)) return true;
  const isListed = (name: string) =>
    policy.operations.includes(name) ||
    (policy.operations.includes('*') &&
      !['exec', 'capture', 'daemon_dump', 'daemon_restore', 'machine_up', 'machine_copy'].includes(name));
  if (method === 'apply') {
    return list(asked.operations).every((operation) => isListed(String(operation.op)) && isOwn(operation));
  }
  // They go on with another method.
  const withAnother: Record<string, string> = {
    daemon_image_read: 'daemon_dump',
    daemon_settle: 'daemon_dump',
    daemon_image_write: 'daemon_restore',
    image_state: 'machine_up',
    image_write: 'machine_up',
    machine_copy_read: 'machine_copy',
    machine_copy_write: 'machine_up',
    machine_go_on: 'machine_up',
    console: 'exec',
    console_log: 'exec',
  };
  if (!isListed(withAnother[method] ?? method)) return false;
  switch (method) {
    case 'exec':
    case 'console':
    case 'console_log':
      return ownNamespace(asked.namespace);
    case 'capture':
      return ownNamespace(asked.namespace) && ownInterface(asked.interface);
    case 'routes':
    case 'daemon_state':
    case 'neighbour_events':
    case 'daemon_dump':
    case 'daemon_image_read':
    case 'daemon_image_write':
    case 'daemon_restore':
    case 'daemon_settle':
    case 'machine_copy':
    case 'machine_copy_read':
    case 'machine_copy_write':
    case 'machine_go_on':
      return ownNamespace(asked.namespace);
    case 'path_mtu':
      return (asked.remotes as unknown[]).every(isElsewhere);
    case 'redirect':
      return list(asked.groups).every(ownGroup);
    case 'arm':
      return list(asked.actions).every((action) =>
        action.kind === 'redirect' ? list(action.groups).every(ownGroup) : ownAction(action),
      );
    case 'stream_open':
      return ownAddress(asked.address) && (asked.sender === undefined || ownAddress(asked.sender));
    case 'stream_send':
      return ownAddress(asked.from) && ownAddress(asked.to);
    case 'reach':
      return ownAddress(asked.from) && (asked.to as unknown[]).every(ownAddress);
    case 'packet_sizes':
      return list(asked.probes).every(
        ({ namespace, from, to }) =>
          (namespace === undefined || ownNamespace(namespace)) && ownAddress(from) && ownAddress(to),
      );
    case 'watch':
      return ownAddress(asked.from) && list(asked.targets).every(({ to }) => ownAddress(to));
    case 'utc':
      return (asked.ntpServers as string[]).every((server) => {
        const host = server.split(':')[0]!;
        return !/^[\d.]+$/.test(host) || (isElsewhere(host) && !host.startsWith('169.254.'));
      });
    default:
      return true;
  }

  function ownAction({ interface: name, namespace, address, entries = [] }: Fields): boolean {
    return (
      (name === undefined || ownInterface(name)) &&
      ownNamespace(namespace) &&
      (address === undefined || ownAddress(address)) &&
      list(entries).every(ownEntry)
    );
  }
  function ownEntry(entry: Fields): boolean {
    const names = [entry.in, (entry.output as Fields).interface];
    return (
      names.every((name) => name === undefined || ownInterface(name)) &&
      [entry.source, entry.destination].every((prefix) => prefix === undefined || ownPrefix(String(prefix)))
    );
  }
  /** What routing daemons may do, lists say; none of the texts that are sent here does anything but comment. */
  function ownConfig({ op, kind, config }: Fields): boolean {
    if (op !== 'daemon_up') return true;
    if (kind === 'openvswitch') return ownSwitch(config);
    return String(config)
      .split('\n')
      .every((line) => line.trim() === '' || line.trim().startsWith('#'));
  }
  function ownSwitch(config: unknown): boolean {
    const { ports, entries } = JSON.parse(String(config)) as Record<string, Fields[]>;
    return ports!.every((port) => ownInterface(port.interface)) && entries!.every(ownEntry);
  }
  function isOwn(operation: Fields): boolean {
    const peer = (operation.peer ?? {}) as Fields;
    const to = (operation.to ?? {}) as Fields;
    const second = secondEnd(operation.alsoFrom);
    const isForward = String(operation.op).startsWith('forward_');
    const ports = list(operation.ports ?? []);
    const peers = ports.map((port) => port.peer as Fields);
    const named = [operation, peer, to, ...list(operation.nexthops ?? []), ...ports, ...peers];
    const ids = [operation.id, operation.nexthopId, operation.active, ...((operation.members ?? []) as unknown[])];
    const addresses = named.flatMap(({ address, via, source }) => [address, via, source]);
    return (
      named.every((part) => part.interface === undefined || ownInterface(part.interface)) &&
      named.every((part) => ownNamespace(part.namespace)) &&
      ids.every((id) => id === undefined || within(policy.nexthops, id)) &&
      addresses.every((address) => address === undefined || ownAddress(address)) &&
      ownConfig(operation) &&
      (operation.vni === undefined || within(policy.vnis, operation.vni)) &&
      (isForward || [operation.port, second.port].every((port) => port === undefined || Number(port) >= 1024)) &&
      (operation.op !== 'forward_up' || operation.side !== 'listen' || Number(operation.localPort) >= 1024) &&
      [operation.remote, operation.local, operation.sendTo, second.address].every(
        (end) => end === undefined || isElsewhere(end),
      ) &&
      words(operation.prefixes ?? operation.prefix).every(ownPrefix)
    );
  }
  /** An address alone, or with the port of a tunnel of user space. */
  function secondEnd(end: unknown): Fields {
    return typeof end === 'string' ? { address: end } : ((end ?? {}) as Fields);
  }
  function ownInterface(name: unknown): boolean {
    return beginsWith(name, policy.interfacePrefix);
  }
  function ownNamespace(name: unknown): boolean {
    return name === undefined || beginsWith(name, policy.namespacePrefix);
  }
  function ownGroup({ id, active }: Fields): boolean {
    return within(policy.nexthops, id) && within(policy.nexthops, active);
  }
  function ownAddress(address: unknown): boolean {
    return isIn(policy.vnet, address);
  }
  function ownPrefix(prefix: string): boolean {
    const [base, length] = prefix.split('/');
    return isIn(policy.vnet, base) && Number(length) >= Number(policy.vnet.split('/')[1]);
  }
  function ofOthers(address: unknown): boolean {
    return others.some((subnet) => isIn(subnet, address));
  }
  function isElsewhere(address: unknown): boolean {
    const first = Number(String(address).split('.')[0]);
    return first !== 0 && first !== 127 && first < 224 && !ownAddress(address) && !ofOthers(address);
  }
}

/**
 * Whether a value contains only finite numbers and plain words, which cannot be taken for an option or for several
 * words. The configuration of a routing daemon goes to a file, and may be any text. Prefixes are several words.
 */
export function isTame(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= 260 && /^[a-zA-Z0-9][a-zA-Z0-9._:/-]*$/.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return true;
  return (
    value !== null &&
    !Object.hasOwn(value, '__proto__') &&
    Object.entries(value).every(
      ([key, item]) =>
        // Both go to files.
        key === 'config' ||
        key === 'files' ||
        isTame(key === 'prefixes' && typeof item === 'string' ? words(item) : item),
    )
  );
}

function words(value: unknown): string[] {
  return typeof value === 'string' ? value.split(' ') : [];
}

function list(value: unknown): Fields[] {
  return value as Fields[];
}

function beginsWith(name: unknown, prefix: string): boolean {
  return typeof name === 'string' && name.length > prefix.length && name.slice(0, prefix.length) === prefix;
}

function within({ first, last }: { first: number; last: number }, id: unknown): boolean {
  return Number(id) >= first && Number(id) <= last;
}

/** Compares bit by bit. */
function isIn(subnet: string, address: unknown): boolean {
  const [base, length] = subnet.split('/');
  return bits(base).slice(0, Number(length)) === bits(address).slice(0, Number(length));
}

function bits(address: unknown): string {
  return String(address)
    .split('.')
    .map((octet) => Number(octet).toString(2).padStart(8, '0'))
    .join('');
}
