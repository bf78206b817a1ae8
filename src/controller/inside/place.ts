/** What the words of a command name: a router or an end host of a VN, and the neighbours of a router. Pure. */
import { VnmError } from '../../model/errors.ts';
import { routerNames } from '../../model/router.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import type { Instance, InstanceLink, LinkEnd } from '../../planning/instance.ts';
import { endName, linksOf } from '../../planning/neighbourhood.ts';
import { chooseVn } from '../base/resolve.ts';

type PlaceKind = 'router' | 'end host';

export interface Place {
  readonly kind: PlaceKind;
  readonly vn: VirtualNetwork;
  readonly name: string;
}

/** What to write before a name that several kinds have. No name has a colon. */
const prefixes: Record<PlaceKind, string> = { router: 'router:', 'end host': 'host:' };
const kinds = Object.keys(prefixes) as PlaceKind[];

const namesOf: Record<PlaceKind, (vn: VirtualNetwork) => string[]> = {
  router: (vn) => [...routerNames(vn)],
  'end host': ({ endHosts }) => endHosts.map(({ name }) => name),
};

/**
 * Finds the router or end host that a text names, of the given VN or of any. Routers, gateways and end hosts may have
 * equal names, and end hosts of several VNs, too. `wanted`: the kinds that it may be. Throws VnmError `not-found`,
 * `usage`.
 */
export function findPlace(
  slice: Slice,
  text: string,
  vnName: string | undefined,
  wanted: readonly PlaceKind[] = kinds,
): Place {
  const vns = vnName === undefined ? slice.vns : [chooseVn(slice, vnName)];
  const prefixed = wanted.filter((kind) => text.startsWith(prefixes[kind]));
  const name = prefixed.length === 0 ? text : text.slice(prefixes[prefixed[0]!].length);
  const among = prefixed.length === 0 ? wanted : prefixed;
  const found = vns.flatMap((vn) =>
    among.filter((kind) => namesOf[kind](vn).includes(name)).map((kind) => ({ kind, vn, name })),
  );
  const [place, other] = found;
  if (place === undefined) throw notFound(slice, name, vnName, vns, among);
  if (other === undefined) return place;
  throw ambiguous(slice, found);
}

function notFound(
  slice: Slice,
  name: string,
  vnName: string | undefined,
  vns: readonly VirtualNetwork[],
  among: readonly PlaceKind[],
): VnmError {
  const where = vnName === undefined ? `slice '${slice.name}'` : `VN '${vnName}'`;
  const lists = among.map((kind) => `its ${kind}s are ${vns.flatMap(namesOf[kind]).join(', ')}`);
  return new VnmError('not-found', `${where} has no ${among.join(' or ')} '${name}'`, { hint: lists.join('; ') });
}

function ambiguous(slice: Slice, found: readonly Place[]): VnmError {
  const { kind, name } = found[0]!;
  if (found.some((other) => other.kind !== kind)) {
    const among = kinds.filter((one) => found.some((place) => place.kind === one));
    return new VnmError('usage', `slice '${slice.name}' has a ${among.join(' and an ')} '${name}'`, {
      hint: `write ${among.map((one) => `${prefixes[one]}${name}`).join(' or ')}`,
    });
  }
  return new VnmError('usage', `several VNs of slice '${slice.name}' have an ${kind} '${name}'`, {
    hint: `select one with --vn NAME: ${found.map(({ vn }) => vn.name).join(', ')}`,
  });
}

export interface Neighbour {
  readonly link: InstanceLink;
  /** The router's end of the link. */
  readonly own: LinkEnd;
  /** The router or gateway at the other end. */
  readonly name: string;
}

/**
 * Finds the link of a router by the name of the router or gateway at its other end; if both have that name, by
 * `router:NAME` or `gateway:NAME`. Throws VnmError `not-found`, `usage`.
 */
export function findLink(instance: Instance, router: string, text: string): Neighbour {
  const neighbours = linksOf(instance, router).map(({ link, own, peer }) => neighbour(link, own, peer));
  const found = neighbours.filter(({ name, full }) => text === name || text === full);
  const [one, other] = found;
  if (one === undefined) {
    throw new VnmError('not-found', `router '${router}' has no link to '${text}'`, {
      hint: `its links lead to ${neighbours.map(({ name }) => name).join(', ') || 'nothing'}`,
    });
  }
  if (other === undefined) return one;
  throw new VnmError('usage', `router '${router}' has a link to a router and one to a gateway '${text}'`, {
    hint: `write ${found.map(({ full }) => full).join(' or ')}`,
  });
}

function neighbour(link: InstanceLink, own: LinkEnd, other: LinkEnd): Neighbour & { readonly full: string } {
  const name = endName(other);
  return { link, own, name, full: `${other.router === undefined ? 'gateway' : 'router'}:${name}` };
}
