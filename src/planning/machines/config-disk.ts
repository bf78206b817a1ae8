/**
 * The configuration disk of a router that is a virtual machine: what cloud-init reads (data source NoCloud), and the
 * same as plain text for images without it. Pure: the same plan and instance give the same texts.
 *
 * | file             | is                                                                              |
 * | ---------------- | ------------------------------------------------------------------------------- |
 * | `meta-data`      | the instance id and the host name                                               |
 * | `network-config` | version 2: MAC address, name, address, MTU and static routes of every link      |
 * | `vendor-data`    | forwarding on, and the neighbours; cloud-init merges it with `user-data`         |
 * | `user-data`      | the user's own                                                                  |
 * | `router.conf`    | lines `name`, `port`, `neighbour` and `route`, as docs/slice-file.md says       |
 * | `bird.conf`      | a configuration for BIRD, where the VN has a routing protocol                   |
 */
import { guestInterface } from '../../model/machine.ts';
import type { RouterName } from '../../model/names.ts';
import type { ImageRouter } from '../../model/router.ts';
import { guestConfig } from '../daemons/index.ts';
import type { Instance, InstanceLink, LinkEnd } from '../instance.ts';
import { sides, staticRoutes } from '../routes.ts';
import type { VnPlan } from '../vn-plan.ts';

/** One link of a machine, in the order of its devices. */
export interface GuestPort {
  readonly own: LinkEnd & { readonly mac: string };
  readonly peer: LinkEnd & { readonly mac: string };
}

/** The links of a machine, in the order of the instance. */
export function guestPorts({ links }: Pick<Instance, 'links'>, router: RouterName): GuestPort[] {
  return links
    .filter(({ a, b }) => a.router === router || b.router === router)
    .map((link) => {
      const { own, peer } = sides(link, router);
      return { own: withMac(own, link), peer: withMac(peer, link) };
    });
}

function withMac(end: LinkEnd, { vni }: InstanceLink): LinkEnd & { readonly mac: string } {
  if (end.mac === undefined) throw new Error(`link ${vni} has no MAC addresses`);
  return { ...end, mac: end.mac };
}

/** The two addresses of a link (RFC 3021). */
const subnetLength = 31;

export function configDisk(
  plan: VnPlan,
  instance: Instance,
  { name, config }: ImageRouter,
  mtu: number,
): Record<string, string> {
  const ports = guestPorts(instance, name);
  const { routing } = plan.vn;
  const routes = routing === undefined ? routesOf(plan, instance, name) : [];
  const identity = `${instance.slice}-${instance.vn}-${instance.slot}-${name}`;
  return {
    'meta-data': yaml([`instance-id: ${identity}`, `local-hostname: ${name}`]),
    'network-config': networkConfig(ports, routes, mtu),
    'vendor-data': vendorData(ports),
    'user-data': config.userData ?? '#cloud-config\n{}\n',
    'router.conf': plainConfig(name, ports, routes, mtu),
    ...(routing === undefined ? {} : { 'bird.conf': guestConfig(plan, instance, name) }),
  };
}

interface GuestRoute {
  readonly prefix: string;
  readonly via: string;
  /** The link's number. */
  readonly port: number;
}

function routesOf({ vn, access }: VnPlan, instance: Instance, router: RouterName): GuestRoute[] {
  const ports = guestPorts(instance, router).map(({ own }) => own.interface);
  return staticRoutes(vn, instance, access, router).map(({ prefix, nexthops: [hop] }) => ({
    prefix,
    via: hop!.via!,
    port: ports.indexOf(hop!.interface),
  }));
}

function networkConfig(ports: readonly GuestPort[], routes: readonly GuestRoute[], mtu: number): string {
  return yaml([
    'version: 2',
    'ethernets:',
    ...ports.flatMap(({ own }, index) => {
      const through = routes.filter(({ port }) => port === index);
      return [
        `  ${guestInterface(index)}:`,
        `    match: { macaddress: "${own.mac}" }`,
        `    set-name: ${guestInterface(index)}`,
        `    addresses: [${own.address}/${subnetLength}]`,
        `    mtu: ${mtu}`,
        '    dhcp4: false',
        ...(through.length === 0 ? [] : ['    routes:']),
        ...through.map(({ prefix, via }) => `      - { to: ${prefix}, via: ${via} }`),
      ];
    }),
  ]);
}

/** A guest needs no entry for a neighbour, since the node answers ARP; with one, nothing waits for that. */
function vendorData(ports: readonly GuestPort[]): string {
  return yaml([
    '#cloud-config',
    'bootcmd:',
    '  - [sysctl, -w, net.ipv4.ip_forward=1]',
    ...ports.map(
      ({ peer }, index) =>
        `  - [sh, -c, "ip neigh replace ${peer.address} lladdr ${peer.mac} dev ${guestInterface(index)} nud permanent || true"]`,
    ),
  ]);
}

function plainConfig(
  name: RouterName,
  ports: readonly GuestPort[],
  routes: readonly GuestRoute[],
  mtu: number,
): string {
  return yaml([
    `name ${name}`,
    ...ports.map(({ own }) => `port ${own.mac} ${own.address}/${subnetLength} ${mtu}`),
    ...ports.map(({ own, peer }) => `neighbour ${own.mac} ${peer.address} ${peer.mac}`),
    ...routes.map(({ prefix, via }) => `route ${prefix} via ${via}`),
  ]);
}

function yaml(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
