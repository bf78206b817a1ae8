/** Differences between the wanted and the real state of a node, in words for people and in fields for programs. */
import type { Route } from '../model/route.ts';
import type { ForwardSide } from './operations.ts';

/** One thing on a node that differs. `wanted` and `found` say what it must be and what it is; null: absent. */
export interface Difference {
  readonly kind:
    | 'namespace'
    | 'interface'
    | 'setting'
    | 'route'
    | 'nexthop'
    | 'rule'
    | 'filter'
    | 'forward'
    | 'daemon'
    | 'machine';
  /** The router's namespace; absent for the node's own network stack. */
  readonly namespace?: string;
  /**
   * Name, prefix, id or direction; for a setting its file below /proc/sys/net; for the filter its tunnel; for a forward
   * the address and port where it receives; for a routing daemon `daemon`, for a virtual machine `machine`.
   */
  readonly name: string;
  readonly wanted: string | null;
  readonly found: string | null;
}

/** Returns the prefix, with the metric that tells several entries for it apart. */
export function routeName({ prefix, metric }: { prefix: string; metric?: number | undefined }): string {
  return metric === undefined ? prefix : `${prefix} metric ${metric}`;
}

/** Describes where a forwarding entry leads. */
export function describeRoute({ type, nexthops, nexthopId, source }: Omit<Route, 'protocol'>): string {
  const from = source === undefined ? '' : ` from ${source}`;
  if (nexthopId !== undefined) return `via nexthop ${nexthopId}${from}`;
  if (type !== 'unicast') return `${type}${from}`;
  const hops = nexthops.map(({ interface: name, via, weight }) => {
    const over = via === undefined ? `over '${name}'` : `via ${via} over '${name}'`;
    return nexthops.length > 1 ? `${over} weight ${weight}` : over;
  });
  return `${hops.join(' and ')}${from}`;
}

/** Describes where a forward leads. */
export function describeForward(forward: ForwardSide): string {
  return forward.side === 'listen'
    ? `from ${forward.address} to ${forward.to.address}:${forward.to.port}`
    : `to 127.0.0.1:${forward.port}`;
}

/** Describes for people what a difference is about. */
export function objectOf({ kind, name, namespace }: Pick<Difference, 'kind' | 'name' | 'namespace'>): string {
  const object = {
    namespace: `namespace '${name}'`,
    interface: `interface '${name}'`,
    setting: `setting ${name}`,
    route: `route to ${name}`,
    nexthop: `nexthop ${name}`,
    rule: `rule ${name} the subnet`,
    filter: `packet filter, ${name}`,
    forward: `forward at ${name}`,
    daemon: 'routing daemon',
    machine: 'virtual machine',
  }[kind];
  return namespace === undefined ? object : `${object} in '${namespace}'`;
}
