/**
 * Manifests of GENI RSpec version 3, as CloudLab, Emulab and jFed give them: the nodes with their logins, and the
 * addresses on the links between them.
 */
import { isIPv4 } from 'node:net';
import type { ImportedNode, Remark } from '../imported.ts';
import type { Part } from '../part.ts';
import { portOf, present, remarkAt, type TreeFormat } from './format.ts';

const addressElement = 'ip';

export function geni(userOption: string | undefined): TreeFormat {
  return {
    title: 'GENI manifest',
    fits: (root) => root.isMap(),
    read: (root) => {
      const type = root.textOf('@type');
      if (type !== 'manifest') {
        const hint = 'a manifest says which hosts you got: take the manifest of the running experiment';
        throw root.fault(`an RSpec of type ${type ?? '(none)'}, not a manifest`, hint);
      }
      const linkOf = readLinks(root);
      const remarks: Remark[] = [];
      const nodes = root.all('node').flatMap((node) => readNode(node, linkOf, userOption, remarks));
      return { content: { nodes }, remarks };
    },
  };
}

/** Which link an interface belongs to, by its `client_id`. */
function readLinks(root: Part): Map<string, string> {
  const links = root.all('link').map((link) => ({
    name: link.textOf('@client_id') ?? 'link',
    interfaces: link.all('interface_ref').flatMap((ref) => ref.textOf('@client_id') ?? []),
  }));
  return new Map(links.flatMap(({ name, interfaces }) => interfaces.map((one) => [one, name] as const)));
}

function readNode(
  node: Part,
  linkOf: ReadonlyMap<string, string>,
  userOption: string | undefined,
  remarks: Remark[],
): ImportedNode[] {
  const name = node.textOf('@client_id');
  if (name === undefined) throw node.fault("a node without 'client_id'");
  const logins = node.all('services').flatMap((services) => services.all('login'));
  const host = logins.map((login) => login.textOf('@hostname')).find((found) => found !== undefined);
  const networks = addressesOf(node, linkOf);
  if (host === undefined) {
    remarks.push(remarkAt(node, `node ${name} is not imported: it has no login`));
    return [];
  }
  const port = logins.map((login) => portOf(login, '@port')).find((found) => found !== undefined);
  const common = {
    name,
    file: node.file,
    position: node.position,
    host,
    ...present({ port, user: userOption ?? userOf(node, name, logins) }),
  };
  return [{ ...common, ...(networks.size === 0 ? {} : { networks }) }];
}

/** The one who can log in. Projects list all their members. */
function userOf(node: Part, name: string, logins: readonly Part[]): string | undefined {
  const users = [...new Set(logins.flatMap((login) => login.textOf('@username') ?? []))];
  if (users.length < 2) return users[0];
  throw node.fault(`node ${name} has the logins ${users.join(', ')}`, 'say which one is yours with --user NAME');
}

/** The IPv4 addresses of a node by the name of the link; interfaces without a link are networks of their own. */
function addressesOf(node: Part, linkOf: ReadonlyMap<string, string>): Map<string, string> {
  const found = node.all('interface').flatMap((one) => {
    const id = one.textOf('@client_id') ?? '';
    const ips = one.all(addressElement).flatMap((ip) => ip.textOf('@address') ?? []);
    return ips.filter((ip) => isIPv4(ip)).map((ip) => [linkOf.get(id) ?? id, ip] as const);
  });
  return new Map(found);
}
