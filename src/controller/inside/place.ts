/** What the words of a command name: a router, a gateway or an end host of a VN, and its links. Pure. */
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { routerNames } from '../../model/router.ts';
import { gatewayOf, type Slice, type VirtualNetwork } from '../../model/slice.ts';
import { gatewayLink, type Instance, type LinkEnd } from '../../planning/instance.ts';
import { endName, linksOf } from '../../planning/neighbourhood.ts';
import { type AccessLink, planVn } from '../../planning/vn-plan.ts';
import { chooseVn } from '../base/resolve.ts';

export type PlaceKind = 'router' | 'gateway' | 'end host';

export interface PlaceName {
  readonly kind: PlaceKind;
  readonly name: string;
}

export interface Place extends PlaceName {
  readonly vn: VirtualNetwork;
}

/** What to write before a name that several kinds have. No name has a colon. */
const prefixes: Record<PlaceKind, string> = { router: 'router:', gateway: 'gateway:', 'end host': 'host:' };
const kinds = Object.keys(prefixes) as PlaceKind[];

const namesOf: Record<PlaceKind, (vn: VirtualNetwork) => string[]> = {
  router: (vn) => [...routerNames(vn)],
  gateway: ({ gateways }) => gateways.map(({ name }) => name),
  'end host': ({ endHosts }) => endHosts.map(({ name }) => name),
};

/** Its kind and name, in words. */
export function describePlace({ kind, name }: PlaceName): string {
  return `${kind} '${name}'`;
}

/** The node that a gateway or an end host is; undefined for a router, whose node the instance has. */
export function edgeNodeOf({ kind, vn, name }: Place): NodeName | undefined {
  if (kind === 'router') return undefined;
  return kind === 'gateway' ? gatewayOf(vn, name).node : vn.endHosts.find((one) => one.name === name)!.node;
}

/**
 * Finds the router, gateway or end host that a text names, of the given VN or of any. All three may have equal names,
 * and so may those of several VNs. Throws VnmError `not-found`, `usage`.
 */
export function findPlace(slice: Slice, text: string, vnName?: string): Place {
  const vns = vnName === undefined ? slice.vns : [chooseVn(slice, vnName)];
  const prefixed = kinds.filter((kind) => text.startsWith(prefixes[kind]));
  const name = prefixed.length === 0 ? text : text.slice(prefixes[prefixed[0]!].length);
  const among = prefixed.length === 0 ? kinds : prefixed;
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
  const lists = among.map((kind) => `its ${kind}s are ${vns.flatMap(namesOf[kind]).join(', ') || 'none'}`);
  return new VnmError('not-found', `${where} has no ${listed(among, 'or')} '${name}'`, { hint: lists.join('; ') });
}

function ambiguous(slice: Slice, found: readonly Place[]): VnmError {
  const { kind, name } = found[0]!;
  if (found.some((other) => other.kind !== kind)) {
    const among = kinds.filter((one) => found.some((place) => place.kind === one));
    return new VnmError('usage', `slice '${slice.name}' has ${listed(among.map(withArticle), 'and')} '${name}'`, {
      hint: `write ${listed(
        among.map((one) => `${prefixes[one]}${name}`),
        'or',
      )}`,
    });
  }
  return new VnmError('usage', `several VNs of slice '${slice.name}' have ${withArticle(kind)} '${name}'`, {
    hint: `select one with --vn NAME: ${found.map(({ vn }) => vn.name).join(', ')}`,
  });
}

function withArticle(kind: PlaceKind): string {
  return `${kind === 'end host' ? 'an' : 'a'} ${kind}`;
}

/** As in `a, b or c`. */
function listed(words: readonly string[], last: 'and' | 'or'): string {
  const [end = '', ...before] = words.toReversed();
  return before.length === 0 ? end : `${before.reverse().join(', ')} ${last} ${end}`;
}

/** A link of a place, as seen from there. */
export interface PlaceLink {
  readonly own: Pick<LinkEnd, 'interface' | 'mac'>;
  /** The router, gateway or end host at the other end. */
  readonly name: string;
  /** Its name with the prefix of its kind. */
  readonly full: string;
}

/**
 * Finds the link of a place by the name of the router, gateway or end host at its other end, with the prefix of its
 * kind if several have that name. Without a text it is the only link. Throws VnmError `not-found`, `usage`.
 */
export function findLink(slice: Slice, place: Place, instance: Instance, text: string | undefined): PlaceLink {
  const links = linksAt(slice, place, instance);
  const found = text === undefined ? links : links.filter(({ name, full }) => text === name || text === full);
  const [one, other] = found;
  if (one === undefined) {
    const to = text === undefined ? 'links' : `link to '${text}'`;
    throw new VnmError('not-found', `${describePlace(place)} has no ${to}`, {
      hint: `its links lead to ${links.map(({ name }) => name).join(', ') || 'nothing'}`,
    });
  }
  if (other === undefined) return one;
  if (text === undefined) {
    throw new VnmError('usage', `${describePlace(place)} has several links`, {
      hint: `select one with --link NAME: ${links.map(({ name }) => name).join(', ')}`,
    });
  }
  throw new VnmError('usage', `${describePlace(place)} has several links to '${text}'`, {
    hint: `write ${listed(
      found.map(({ full }) => full),
      'or',
    )}`,
  });
}

function linksAt(slice: Slice, { kind, vn, name }: Place, instance: Instance): PlaceLink[] {
  if (kind === 'router') return linksOf(instance, name).map(({ own, peer }) => linkTo(own, endPlace(peer)));
  const { access } = planVn(slice, vn);
  if (kind === 'end host') {
    return access.filter(({ endHost }) => endHost === name).map((link) => linkTo(link.hostEnd, gatewayAt(link)));
  }
  const { a, b } = gatewayLink(instance, name);
  const hosts = access.filter(({ gateway }) => gateway === name);
  return [
    linkTo(a, endPlace(b)),
    ...hosts.map(({ gatewayEnd, endHost }) => linkTo(gatewayEnd, { kind: 'end host', name: endHost })),
  ];
}

function endPlace(end: LinkEnd): PlaceName {
  return { kind: end.router === undefined ? 'gateway' : 'router', name: endName(end) };
}

function gatewayAt({ gateway }: AccessLink): PlaceName {
  return { kind: 'gateway', name: gateway };
}

function linkTo(own: PlaceLink['own'], { kind, name }: PlaceName): PlaceLink {
  return { own, name, full: `${prefixes[kind]}${name}` };
}
