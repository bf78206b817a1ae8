import { ospfCostRange } from '../../model/daemon.ts';
import { noDaemonsHint } from '../../model/dataplane.ts';
import type { Draft, DraftBgp, DraftNeighbour, DraftRouter, DraftVn } from '../draft.ts';
import { atKey, atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';
import { wholePairs } from './pairs.ts';
import { aRouter, checkReference, repeats } from './references.ts';

/** Checks the routing daemons and the virtual machines of a VN: that they have something to do, and can do it. */
export function checkDaemons(draft: Draft, vn: DraftVn): Problem[] {
  return [
    ...vn.daemons.entries.flatMap((router) => [
      ...checkKind(vn, router),
      ...(router.bgp === undefined ? [] : checkBgp(vn, router, router.bgp)),
    ]),
    ...checkMixture(vn),
    ...checkPlane(draft, vn),
    ...checkRouting(vn),
  ];
}

const isDaemon = ({ kind }: DraftRouter) => kind === 'frr' || kind === 'bird';
const isPlain = ({ kind }: DraftRouter) => kind === 'static' || kind === 'switch';
const kindHint = 'give the routers kind: bird or kind: frr';

function checkKind({ routing }: DraftVn, router: DraftRouter): Problem[] {
  const { name, path, kind, config, bgp } = router;
  if (kind === 'image') return checkImage(router);
  if (kind === undefined) return [];
  const machineFaults = router.machineKeys.map((key) =>
    atKey([...path, key], `router ${quote(name)} is no virtual machine and has no ${key}`, 'give it kind: image'),
  );
  if (kind === 'static' || kind === 'switch') {
    const what = kind === 'static' ? 'static' : 'a switch';
    return [
      ...(['config', 'bgp'] as const)
        .filter((key) => router[key] !== undefined)
        .map((key) => atKey([...path, key], `router ${quote(name)} is ${what} and has no ${key}`, kindHint)),
      ...machineFaults,
    ];
  }
  if (machineFaults.length > 0) return machineFaults;
  if (routing !== undefined || config !== undefined || bgp !== undefined) return [];
  const hint = 'give the VN routing: { protocol: ospf }, or the router bgp or config';
  return [atValue([...path, 'kind'], `router ${quote(name)} has nothing to do`, hint)];
}

/** Its own system decides what it runs. */
function checkImage(router: DraftRouter): Problem[] {
  const { name, path, machineKeys } = router;
  return [
    ...(machineKeys.includes('image')
      ? []
      : [atValue(path, `router ${quote(name)} is a virtual machine without an image`, 'give it image: FILE')]),
    ...(['config', 'bgp'] as const)
      .filter((key) => router[key] !== undefined)
      .map((key) =>
        atKey(
          [...path, key],
          `router ${quote(name)} is a virtual machine and has no ${key}`,
          'configure it by its userData',
        ),
      ),
  ];
}

/**
 * A static router or a switch tells its neighbours no routes, and hears of none. A virtual machine has static routes,
 * unless the VN has a routing protocol.
 */
function checkMixture({ name, daemons, routing }: DraftVn): Problem[] {
  const fixed = daemons.entries.find(isPlain);
  const image = daemons.entries.find(({ kind }) => kind === 'image');
  const daemon = daemons.entries.find(isDaemon);
  if (image !== undefined && daemon !== undefined && routing === undefined) {
    const message = `VN ${quote(name)} has router ${quote(daemon.name)} with a routing daemon and router ${quote(image.name)}, a virtual machine, but no routing`;
    return [atValue(image.path, message, 'give the VN routing: { protocol: ospf }')];
  }
  if (fixed === undefined) return [];
  const what = fixed.kind === 'static' ? 'static router' : 'switch';
  if (image !== undefined && routing !== undefined) {
    const message = `VN ${quote(name)} has routing, and ${what} ${quote(fixed.name)}`;
    return [atValue(fixed.path, message, `a ${what} tells no routes: give it another kind, or omit routing`)];
  }
  if (daemon === undefined) return [];
  const message = `VN ${quote(name)} has ${what} ${quote(fixed.name)} and router ${quote(daemon.name)} with a routing daemon`;
  return [atValue(fixed.path, message, `a ${what} tells no routes: give all routers kind: bird or frr, or none`)];
}

/** Only the kernel's data plane has network namespaces for programs. */
function checkPlane({ nodes }: Draft, { daemons, placements }: DraftVn): Problem[] {
  const planes = new Map(nodes.entries.map(({ name, dataplane }) => [name, dataplane]));
  const needing = daemons.entries.filter(
    (router) => isDaemon(router) || ['switch', 'image'].includes(router.kind ?? ''),
  );
  const kinds = new Map(needing.map(({ name, kind }) => [name, kind]));
  const places = placements.entries.flatMap((placement) => placement.places.entries);
  const wrong = places.find(({ name, node }) => kinds.has(name) && planes.get(node?.name ?? '') === 'userspace');
  if (wrong?.node === undefined) return [];
  const message = `router ${quote(wrong.name)} of kind ${quote(kinds.get(wrong.name)!)} on node ${quote(wrong.node.name)} with the userspace data plane`;
  return [atValue(wrong.node.path, message, noDaemonsHint)];
}

function checkRouting({ routing, daemons, links }: DraftVn): Problem[] {
  if (routing === undefined) return [];
  const { path, hello, dead } = routing;
  const isAllStatic = daemons.complete && daemons.entries.every(isPlain);
  const [least, most] = ospfCostRange;
  const isCost = (cost: number) => Number.isInteger(cost) && cost >= least && cost <= most;
  return [
    ...(isAllStatic ? [atKey(path, 'routing, but no router has a routing daemon', kindHint)] : []),
    ...(hello !== undefined && dead !== undefined && dead <= hello
      ? [atValue(path, `neighbours would be gone after ${dead} s, with hello packets every ${hello} s`, deadHint)]
      : []),
    ...links.entries
      .filter(({ cost }) => cost !== undefined && cost > 0 && !isCost(cost))
      .map(({ path: link, cost }) =>
        atValue([...link, 2], `OSPF has no cost ${cost}`, `a whole number, ${least} to ${most}`),
      ),
  ];
}

const deadHint = 'dead must be larger than hello, usually four times';

function checkBgp(vn: DraftVn, router: DraftRouter, { neighbours }: DraftBgp): Problem[] {
  return [
    ...neighbours.entries.flatMap((neighbour) => [
      ...checkForm(neighbour),
      ...checkReference(aRouter, neighbour.router, vn.routers),
      ...checkLinked(vn, router, neighbour),
    ]),
    ...repeats(neighbours.entries, ({ router: other, address }) => (other ?? address)?.name).map(({ item }) =>
      atValue(item.path, 'this neighbour is listed twice', 'list each neighbour once'),
    ),
  ];
}

function checkForm({ path, router, address, hasAs }: DraftNeighbour): Problem[] {
  const isComplete = router === undefined ? address !== undefined && hasAs : address === undefined && !hasAs;
  if (isComplete) return [];
  return [
    atValue(path, 'a neighbour is either a router, or an address with as', 'the router itself says which as it has'),
  ];
}

function checkLinked(vn: DraftVn, { name }: DraftRouter, { router }: DraftNeighbour): Problem[] {
  const other = vn.daemons.entries.find((one) => one.name === router?.name);
  if (router === undefined || other === undefined || !vn.links.complete) return [];
  const isLink = ({ from, to }: { from: { name: string }; to: { name: string } }) =>
    (from.name === name && to.name === other.name) || (from.name === other.name && to.name === name);
  if (!wholePairs(vn.links).some(isLink)) {
    const hint = 'a session runs over a link; others need a config file';
    return [atValue(router.path, `no link joins routers ${quote(name)} and ${quote(other.name)}`, hint)];
  }
  if (other.bgp !== undefined || !isDaemon(other)) return [];
  return [atValue(router.path, `router ${quote(other.name)} has no bgp`, 'give it bgp: { as: NUMBER }')];
}
