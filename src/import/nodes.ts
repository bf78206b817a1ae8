/** The nodes of a slice file from those of one or several files. */
import { isIPv4 } from 'node:net';
import { parseAddress } from '../model/address.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import type { JumpHost } from '../model/ssh-way.ts';
import { canonicalHost } from '../slicefile/checks/hosts.ts';
import { parseHost, parseJumpHost, parseUser } from '../slicefile/names.ts';
import { list, quote } from '../slicefile/words.ts';
import { faultAt } from './fault.ts';
import type { ImportedNode, Remark } from './imported.ts';
import type { LegalNames } from './names.ts';

/** A node as slice files have it. */
export interface FileNode {
  readonly name: string;
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  readonly key?: string;
  readonly address?: string;
  readonly config?: string;
  readonly jump?: readonly (string | JumpHost)[];
}

export interface Nodes {
  readonly nodes: readonly FileNode[];
  /** All IPv4 addresses that the files tell, as integers: the subnet of the slice must have none of them. */
  readonly addresses: readonly number[];
  readonly remarks: readonly Remark[];
}

export interface NodeOptions {
  /** What to drop from the beginning of names. */
  readonly strip?: string | undefined;
  /** The network whose addresses tunnels use. */
  readonly network?: string | undefined;
  /** The login on all nodes. */
  readonly user?: string | undefined;
}

interface Merged extends ImportedNode {
  readonly host: string;
  readonly networks: ReadonlyMap<string, string>;
}

/**
 * Puts together what the files say about each node, and chooses the addresses for tunnels. Throws VnmError
 * `invalid-input` where files contradict each other, or two nodes are the same host.
 */
export function nodesOf(imported: readonly ImportedNode[], options: NodeOptions, names: LegalNames): Nodes {
  const remarks: Remark[] = [];
  const byName = Map.groupBy(imported, ({ name }) => name);
  const merged = [...byName].map(([, entries]) => merge(entries));
  for (const node of merged) check(node);
  const network = chooseNetwork(merged, options.network, remarks);
  const nodes = merged.map((node): FileNode => {
    const { host, port, key, config, jump } = node;
    const user = options.user ?? node.user;
    const address = network === undefined ? undefined : node.networks.get(network);
    const stripped = options.strip !== undefined && node.name.startsWith(options.strip);
    return {
      name: names.legal(stripped ? node.name.slice(options.strip!.length) : node.name),
      host,
      ...(port === undefined ? {} : { port }),
      ...(user === undefined ? {} : { user }),
      ...(key === undefined ? {} : { key }),
      ...(address === undefined || address === host ? {} : { address }),
      ...(config === undefined ? {} : { config }),
      ...(jump === undefined ? {} : { jump }),
    };
  });
  const apart = keepApart(merged, nodes);
  const addresses = [...merged.flatMap(({ host, networks }) => [host, ...networks.values()])].filter((one) =>
    isIPv4(one),
  );
  return { nodes: apart, addresses: addresses.map(parseAddress), remarks };
}

function merge(entries: readonly ImportedNode[]): Merged {
  const [first, ...others] = entries as [ImportedNode, ...ImportedNode[]];
  const merged = others.reduce<ImportedNode>((one, other) => {
    for (const field of ['host', 'port', 'user', 'key', 'config'] as const) {
      const [a, b] = [one[field], other[field]];
      if (a === undefined || b === undefined || a === b) continue;
      const message = `node ${one.name} has the ${field} ${b} here, and ${a} at ${one.file}:${one.position.line}`;
      throw faultAt(other.file, other.position, message, 'remove one of them');
    }
    const networks = new Map([...(one.networks ?? []), ...(other.networks ?? [])]);
    return Object.assign({}, other, one, { networks });
  }, first);
  const { host, networks = new Map() } = merged;
  if (host !== undefined) return { ...merged, host, networks };
  const message = `node ${first.name} has addresses on networks, but no host`;
  throw faultAt(first.file, first.position, message, 'also give the file that says how SSH reaches it');
}

function check({ name, file, position, host, user, jump = [] }: Merged): void {
  const wrong = (what: string, message: string, hint?: string) => {
    return faultAt(file, position, `node ${name}${what}: ${message}`, hint);
  };
  const attempt = (what: string, parse: () => void) => {
    try {
      parse();
    } catch (error) {
      if (error instanceof VnmError) throw wrong(what, messageOf(error), error.hint);
      throw error;
    }
  };
  attempt('', () => parseHost(host));
  if (user !== undefined) attempt('', () => parseUser(user));
  for (const server of jump) {
    attempt(', jump host', () => {
      if (typeof server === 'string') parseJumpHost(server);
      else {
        parseHost(server.host);
        if (server.user !== undefined) parseUser(server.user);
      }
    });
  }
}

/** The network with an address of every node; undefined without one, or if there are several and none is chosen. */
function chooseNetwork(nodes: readonly Merged[], wanted: string | undefined, remarks: Remark[]): string | undefined {
  const all = [...new Set(nodes.flatMap(({ networks }) => [...networks.keys()]))];
  const [first] = nodes;
  if (first === undefined) return undefined;
  const remark = (text: string) => remarks.push({ file: first.file, position: first.position, text });
  if (wanted !== undefined) {
    if (!all.includes(wanted)) {
      const hint = all.length === 0 ? 'no file has networks' : `networks are ${list(all)}`;
      throw new VnmError('invalid-input', `there is no network ${quote(wanted)}`, { hint });
    }
    const without = nodes.filter(({ networks }) => !networks.has(wanted));
    if (without.length > 0) remark(`no address on network ${wanted}: ${list(without.map(({ name }) => name))}`);
    return wanted;
  }
  const common = all.filter((network) => nodes.every(({ networks }) => networks.has(network)));
  if (common.length === 1) {
    remark(`tunnels use the addresses on network ${common[0]}, which joins all nodes`);
    return common[0];
  }
  if (all.length > 0) {
    const why = common.length === 0 ? 'none joins all nodes' : 'several join all nodes';
    remark(`not imported: addresses on networks (${list(all)}); ${why}: choose one with --network`);
  }
  return undefined;
}

/** Gives nodes behind one host an address of their own, as slice files need it. */
function keepApart(merged: readonly Merged[], nodes: readonly FileNode[]): FileNode[] {
  const servers = new Map<string, number>();
  const hosts = nodes.map(({ host }) => canonicalHost(host));
  const shared = new Set(hosts.filter((host, index) => hosts.indexOf(host) !== index));
  const addressed = nodes.map((node, index) => {
    const { name, file, position } = merged[index]!;
    const server = JSON.stringify([hosts[index], node.port ?? 22, node.jump]);
    const first = servers.get(server);
    if (first !== undefined) {
      const message = `nodes ${merged[first]!.name} and ${name} are the same host ${node.host}`;
      throw faultAt(file, position, message, 'a host is one node: give each its own host or port');
    }
    servers.set(server, index);
    if (!shared.has(hosts[index]!) || node.address !== undefined) return node;
    const [address] = merged[index]!.networks.values();
    return address === undefined ? node : { ...node, address };
  });
  const addresses = new Map<string, number>();
  addressed.forEach((node, index) => {
    const { name, file, position } = merged[index]!;
    const address = canonicalHost(node.address ?? node.host);
    const first = addresses.get(address);
    if (first !== undefined) {
      const message = `nodes ${merged[first]!.name} and ${name} have the same address ${address}, to which tunnel packets go`;
      throw faultAt(
        file,
        position,
        message,
        'give the file with their addresses on a network, or import only one of them',
      );
    }
    addresses.set(address, index);
  });
  return addressed;
}
