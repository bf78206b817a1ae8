/** What this node uses besides the slice, as far as a subnet can collide with it. */
import { readFile } from 'node:fs/promises';
import { formatAddress } from '../../../model/address.ts';
import { ownStack } from '../planner/state.ts';
import { showBatch } from './ip.ts';
import type { LinkJson, RouteJson, RuleJson } from './parse.ts';
import { listAllNamespaces } from './presence.ts';

export interface NodeNetwork {
  readonly links: readonly LinkJson[];
  /** Links in router namespaces of other slices: a tunnel's packets leave through the node's own stack. */
  readonly routerLinks: readonly LinkJson[];
  /** IPv4 entries of all tables that are inside the subnet or contain it. */
  readonly routes: readonly RouteJson[];
  readonly rules: readonly RuleJson[];
  /** Established TCP connections, including SSH: their other ends must stay reachable. */
  readonly peers: readonly Peer[];
}

export interface Peer {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
}

/**
 * `others`: prefixes of the names of other slices' namespaces. `ip` leaves out routes that do not overlap: a node may
 * have a million of them.
 */
export async function readNodeNetwork(vnet: string, others: readonly string[]): Promise<NodeNetwork> {
  const namespaces = others.length === 0 ? [] : await listAllNamespaces();
  const routers = namespaces.filter((name) => others.some((prefix) => name.startsWith(prefix)));
  const [[links, inside, around, rules], ...peers] = await Promise.all([
    showBatch('ip', ownStack, [
      ['address', 'show'],
      ['route', 'show', 'table', 'all', 'root', vnet],
      ['route', 'show', 'table', 'all', 'match', vnet],
      ['rule', 'show'],
    ]) as Promise<[LinkJson[], RouteJson[], RouteJson[], RuleJson[]]>,
    ...['tcp', 'tcp6'].map(readPeers),
  ]);
  const routerLinks = (await Promise.all(routers.map(readLinks))).flat();
  return { links, routerLinks, routes: [...inside, ...around], rules, peers: peers.flat() };
}

/** Returns none for a namespace that has just gone. */
async function readLinks(namespace: string): Promise<LinkJson[]> {
  try {
    return (await showBatch('ip', namespace, [['link', 'show']])).flat() as LinkJson[];
  } catch (error) {
    if ((await listAllNamespaces()).includes(namespace)) throw error;
    return [];
  }
}

async function readPeers(file: string): Promise<Peer[]> {
  try {
    return parsePeers(await readFile(`/proc/self/net/${file}`, 'utf8'));
  } catch (error) {
    // There is no tcp6 if IPv6 is off.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

const established = '01';
/** How IPv6 sockets show an IPv4 address; words of 4 bytes in the host's byte order. */
const mappedIpv4 = /^0{16}(?:FFFF0000|0000FFFF)([\dA-F]{8})$/;

/** Parses lines of /proc/net/tcp and tcp6: `sl local remote state ...`, in hex. */
export function parsePeers(text: string, isLittleEndian = littleEndian): Peer[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', remote = '', state] = line.trim().split(/\s+/);
      if (state !== established) return [];
      const [localAddress, localPort = ''] = local.split(':');
      const [here, there] = [localAddress, remote.split(':')[0]].map((hex) => addressOf(hex ?? '', isLittleEndian));
      if (here === undefined || there === undefined) return [];
      return [{ local: here, localPort: Number.parseInt(localPort, 16), remote: there }];
    });
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Returns undefined for an IPv6 address. */
function addressOf(hex: string, isLittleEndian: boolean): string | undefined {
  const word = hex.length === 8 ? hex : mappedIpv4.exec(hex)?.[1];
  if (word === undefined || !/^[\dA-F]{8}$/.test(word)) return undefined;
  const bytes = Buffer.from(word, 'hex');
  return formatAddress((isLittleEndian ? bytes.readUInt32LE() : bytes.readUInt32BE()) >>> 0);
}
