/**
 * FABlib's listings as JSON: `slice.list_nodes(output='json')`, and `slice.list_interfaces(output='json')` for the
 * addresses on the networks of the slice. Keys are those of FABlib's `toDict`, or the headings of its tables.
 */
import { isIPv4 } from 'node:net';
import { containsAddress, parseAddress, parsePrefix } from '../../model/address.ts';
import type { ImportedNode, Remark } from '../imported.ts';
import type { Part } from '../part.ts';
import { Tally } from '../tally.ts';
import { present, type Reading, remarkAt, type TreeFormat } from './format.ts';
import { sshArguments } from './ssh-arguments.ts';

/** The addresses of FABNetv4, FABRIC's network between all sites, which has a part of its own at each site. */
const fabnet = parsePrefix('10.128.0.0/10');

const keys = {
  name: ['name', 'Name'],
  host: ['management_ip', 'Management IP'],
  user: ['username', 'Username'],
  key: ['private_ssh_key_file', 'Private SSH Key File'],
  state: ['state', 'State', 'reservation_state'],
  command: ['ssh_command', 'SSH Command'],
  node: ['node', 'Node'],
  network: ['network', 'Network'],
  address: ['ip_addr', 'IP Address'],
};

export const fablib: TreeFormat = {
  title: 'listing by FABlib',
  fits: (root) => {
    const [first] = Array.isArray(root.value) ? root.items() : [];
    const has = (of: readonly string[]) => of.some((key) => first?.has(key));
    return has(keys.name) && (has(keys.host) || (has(keys.node) && has(keys.network)));
  },
  read: (root) => {
    const remarks: Remark[] = [];
    const unused = new Tally(root.file);
    const nodes = root.items().flatMap((item) => {
      if (!item.isMap()) throw item.fault('expected a node or an interface of FABlib');
      return isInterface(item) ? readInterface(item, remarks) : [readNode(item, unused)];
    });
    return { content: { nodes }, remarks: [...remarks, ...unused.remarks()] } satisfies Reading;
  },
};

function isInterface(item: Part): boolean {
  return keys.node.some((key) => item.has(key)) && keys.network.some((key) => item.has(key));
}

function readNode(item: Part, tally: Tally): ImportedNode {
  const name = known(item, keys.name);
  if (name === undefined) throw item.fault('a node without a name');
  const host = known(item, keys.host);
  if (host === undefined) {
    const state = known(item, keys.state);
    throw item.fault(
      `node ${name} has no management IP${state === undefined ? '' : ` (state ${state})`}`,
      'wait until the slice is ready, and list its nodes again',
    );
  }
  const login = present({ user: known(item, keys.user), key: known(item, keys.key) });
  const { unused, ...way } = sshArguments(known(item, keys.command) ?? '', login);
  for (const word of unused) tally.add(`SSH argument ${word}`, item.position);
  return {
    name,
    file: item.file,
    position: item.position,
    host,
    ...way,
  };
}

function readInterface(item: Part, remarks: Remark[]): ImportedNode[] {
  const [node, network, address] = [known(item, keys.node), known(item, keys.network), known(item, keys.address)];
  if (node === undefined || network === undefined || address === undefined) return [];
  if (!isIPv4(address)) {
    remarks.push(remarkAt(item, `${node}: address ${address} is not IPv4`));
    return [];
  }
  const name = containsAddress(fabnet, parseAddress(address)) ? 'FABNetv4' : network;
  return [{ name: node, file: item.file, position: item.position, networks: new Map([[name, address]]) }];
}

/** A value that is there; Python writes `None` for one that is not. */
function known(item: Part, of: readonly string[]): string | undefined {
  const text = item.textOfFirst(of);
  return text === 'None' ? undefined : text;
}
