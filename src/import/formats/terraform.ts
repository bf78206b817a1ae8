/**
 * `terraform output -json` (OpenTofu's is the same). Outputs are what a configuration makes of them; these are nodes:
 *
 * - a map of names to addresses, or to objects with an address;
 * - a list of addresses, or of objects with an address, numbered from 1 unless they have a name;
 * - a single address.
 *
 * An output (or a key of an object) with `private` or `internal` in its name has the addresses for tunnels.
 */
import { isIP, isIPv4 } from 'node:net';
import type { ImportedNode, Remark } from '../imported.ts';
import type { Part } from '../part.ts';
import { portOf, present, remarkAt, type TreeFormat } from './format.ts';

export const terraform: TreeFormat = {
  title: 'Terraform output',
  fits: (root) => {
    if (!root.isMap()) return false;
    const outputs = [...(root.value as Map<unknown, unknown>).values()];
    const isOutput = (output: unknown) => output instanceof Map && output.has('value') && output.has('sensitive');
    return outputs.length > 0 && outputs.every(isOutput);
  },
  read: (root) => {
    const remarks: Remark[] = [];
    const nodes = root.entries('OUTPUT').flatMap(([name, output]) => {
      for (const key of ['type', 'sensitive', 'value']) output.get(key)?.skip();
      if (output.get('sensitive')?.value === true) {
        remarks.push(remarkAt(output, `not imported: output ${name}, which is sensitive`));
        return [];
      }
      const value = output.get('value');
      const found = value === undefined ? [] : readOutput(name, value, remarks);
      if (found.length === 0) remarks.push(remarkAt(output, `not imported: output ${name} has no addresses of hosts`));
      return found;
    });
    return { content: { nodes: reachable(nodes) }, remarks };
  },
};

/** Gives the nodes that only have private addresses these as hosts: others reach them, too. */
function reachable(nodes: readonly ImportedNode[]): ImportedNode[] {
  const known = new Set(nodes.flatMap(({ name, host }) => (host === undefined ? [] : [name])));
  return nodes.map((node) => (known.has(node.name) ? node : { ...node, host: [...node.networks!.values()][0]! }));
}

/** Keys of objects, the most telling first. */
const hostKeys = [
  'host',
  'hostname',
  'public_ip',
  'public_ipv4',
  'public_ip_address',
  'ipv4_address',
  'floating_ip',
  'access_ip_v4',
  'nat_ip',
  'ip_address',
  'ip',
  'public_dns',
  'fqdn',
  'ipv6_address',
];
const addressKeys = [
  'address',
  'private_ip',
  'private_ip_address',
  'private_ipv4',
  'ipv4_address_private',
  'internal_ip',
];
const userKeys = ['user', 'username', 'ssh_user'];
const keyKeys = ['key', 'private_key_file', 'key_file', 'identity_file', 'ssh_key_file'];
const taken = new Set([...hostKeys, ...addressKeys, ...userKeys, ...keyKeys, 'port', 'ssh_port', 'name']);

function readOutput(name: string, value: Part, remarks: Remark[]): ImportedNode[] {
  const isPrivate = /private|internal/i.test(name);
  const stem = stemOf(name);
  const readOne = (node: string, part: Part) => readValue(node, part, isPrivate, remarks);
  if (Array.isArray(value.value)) {
    const single = value.items().length === 1;
    return value.items().flatMap((item, index) => {
      const own = item.isMap() ? item.textOf('name') : undefined;
      return readOne(own ?? (single ? stem : `${stem}-${index + 1}`), item);
    });
  }
  if (!value.isMap()) return readOne(stem, value);
  // An object that is one host, or a map of hosts by name.
  if (hasHost(value)) return readOne(value.textOf('name') ?? stem, value);
  return value.entries('NAME').flatMap(([node, part]) => readOne(node, part));
}

function hasHost(part: Part): boolean {
  return [...hostKeys, ...addressKeys].some((key) => isAddress(part.get(key)?.value, key));
}

function readValue(name: string, part: Part, isPrivate: boolean, remarks: Remark[]): ImportedNode[] {
  const { file, position } = part;
  if (!part.isMap()) {
    if (!isAddress(part.value, '')) return [];
    const text = part.text().trim();
    return [{ name, file, position, ...(isPrivate ? networks(text) : { host: text }) }];
  }
  if (!hasHost(part)) return [];
  const address = addressKeys.map((key) => part.textOf(key)).find((text) => text !== undefined && isIPv4(text));
  const [host, ...others] = hostKeys.filter((key) => isAddress(part.get(key)?.value, key));
  const left = [...(part.value as Map<unknown, unknown>).keys()].map(String).filter((key) => !taken.has(key));
  const unused = [...others, ...left];
  if (unused.length > 0) remarks.push(remarkAt(part, `${name}: not imported: ${unused.join(', ')}`));
  const port = portOf(part, 'port') ?? portOf(part, 'ssh_port');
  return [
    {
      name,
      file,
      position,
      ...(address === undefined ? {} : networks(address)),
      ...present({
        host: host === undefined ? address : part.textOf(host),
        port,
        user: part.textOfFirst(userKeys),
        key: part.textOfFirst(keyKeys),
      }),
    },
  ];
}

function networks(address: string): Pick<ImportedNode, 'networks'> {
  return { networks: new Map([['private', address]]) };
}

/** An address, or under keys of names also the name of a host. */
function isAddress(value: unknown, key: string): boolean {
  if (typeof value !== 'string') return false;
  const text = value.trim();
  if (isIP(text) !== 0) return true;
  return /^(host|hostname|public_dns|fqdn)$/.test(key) && /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(text);
}

/** The name of an output without the words for what it holds: `worker_public_ips` is about `worker`. */
function stemOf(name: string): string {
  const words = name
    .split(/[_-]+/)
    .filter(
      (word) =>
        !/^(public|private|internal|external|ipv?[46]?s?|ips|address(es)?|hosts?|nodes?|dns|names?|list|map)$/i.test(
          word,
        ),
    );
  return words.length === 0 ? 'node' : words.join('-');
}
