/**
 * The operations of the agent, named after PlanetLab's Vsys (paper, section II-B). Both ends check every field by an
 * anchored pattern here; the agent also checks it against the node's policy. Operations state what must be (`_up`) or
 * must not be (`_down`), so applying one twice changes nothing. An operation without `namespace` acts on the node's
 * own network stack.
 */
import * as z from 'zod';
import { daemonProtocols } from '../model/daemon.ts';
import { daemonKinds } from './daemon.ts';
import { machineSchema, portStates } from './machine.ts';

const address = z.ipv4();
const prefix = z.cidrv4();
export const interfaceName = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,14}$/);
export const namespaceName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/);
export const mac = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
const nexthopId = z.int().min(1).max(0xffffffff);
const mtu = z.int().min(576).max(65_535);
const udpPort = z.int().min(1).max(65_535);
const urpf = z.enum(['strict', 'feasible', 'loose']);

/** A router namespace: forwarding on, reverse-path check as the mode says. `netns_down` removes everything in it. */
const netnsUp = () => z.strictObject({ op: z.literal('netns_up'), namespace: namespaceName, urpf });
const netnsDown = () => z.strictObject({ op: z.literal('netns_down'), namespace: namespaceName });

/**
 * A point-to-point tunnel, either to another node (`vxlan`) or between two stacks of this node (`local`, both ends at
 * once). `local` of a `vxlan`: the address that the other end sends to, and the only one from which that end takes
 * packets. The node sends from it if the address is its own, not that of a NAT in front of it. A `gateable` tunnel, in
 * the node's own stack, loses nothing when a gate is added or removed.
 *
 * Another `remote` for an existing tunnel is a flip: from some instant on, each packet goes to the other remote, and
 * none is lost or sent twice (VROOM, section 3.3). `alsoFrom`: where the other end also is while its router moves;
 * packets are accepted from both. `alsoMac`: its MAC address there, if that is another one: frames to it go there, and
 * all others to `remote`.
 */
const tunnelUp = () =>
  z.discriminatedUnion('kind', [
    z.strictObject({
      op: z.literal('tunnel_up'),
      kind: z.literal('vxlan'),
      interface: interfaceName,
      namespace: namespaceName.optional(),
      mac,
      mtu,
      vni: z.int().min(1).max(0xffffff),
      remote: address,
      alsoFrom: address.optional(),
      alsoMac: mac.optional(),
      local: address.optional(),
      port: z.int().min(1).max(65_535),
      gateable: z.boolean().default(false),
    }),
    z.strictObject({
      op: z.literal('tunnel_up'),
      kind: z.literal('udp'),
      interface: interfaceName,
      namespace: namespaceName.optional(),
      mtu,
      vni: z.int().min(1).max(0xffffff),
      instance: z.int().min(0).max(0xffff),
      /** The slice's key, hexadecimal. */
      key: z.string().regex(/^([0-9a-f]{2}){8,32}$/),
      remote: address,
      port: z.int().min(1).max(65_535),
      alsoFrom: z.strictObject({ address, port: udpPort }).optional(),
      gateable: z.boolean().default(false),
    }),
    z.strictObject({
      op: z.literal('tunnel_up'),
      kind: z.literal('local'),
      interface: interfaceName,
      namespace: namespaceName.optional(),
      mac,
      mtu,
      peer: z.strictObject({ interface: interfaceName, namespace: namespaceName.optional(), mac }),
      gateable: z.boolean().default(false),
    }),
  ]);
const tunnelDown = () =>
  z.strictObject({
    op: z.literal('tunnel_down'),
    interface: interfaceName,
    namespace: namespaceName.optional(),
  });

/**
 * The address of an interface and its one neighbour, which gets a permanent neighbour entry, so that nothing waits for
 * ARP; the neighbour's MAC address is left out where the tunnel kind has none. The interface is set up, forwards, and
 * checks the reverse path as the mode says (a router namespace has its own mode). Without any check, packets could get
 * from one slice's interface into another slice's table. `pointToPoint`, in routers only: a routing daemon uses the
 * interface, so the neighbour is in its subnet (/31), and it carries multicast.
 */
const vifUp = () =>
  z.strictObject({
    op: z.literal('vif_up'),
    interface: interfaceName,
    namespace: namespaceName.optional(),
    address,
    peer: z.strictObject({ address, mac: mac.optional() }),
    urpf: urpf.default('strict'),
    pointToPoint: z.boolean().default(false),
  });
const vifDown = () =>
  z.strictObject({
    op: z.literal('vif_down'),
    interface: interfaceName,
    namespace: namespaceName.optional(),
    address,
  });

/**
 * A forwarding entry in a router's main table, or without `namespace` in the slice's own table. `protocol`, in routers
 * only: the entry is a copy of one that a routing daemon made; a daemon that starts with `graceful` takes it for its
 * own.
 */
const routeFields = () => ({
  action: z.enum(['add', 'delete']),
  type: z.enum(['unicast', 'blackhole', 'unreachable', 'prohibit']).default('unicast'),
  nexthops: z
    .array(
      z.strictObject({ interface: interfaceName, via: address.optional(), weight: z.int().min(1).max(256).default(1) }),
    )
    .max(64)
    .default([]),
  nexthopId: nexthopId.optional(),
  metric: z.int().min(0).max(0xffffffff).optional(),
  source: address.optional(),
  protocol: z.enum(daemonProtocols).optional(),
});
const vroute = () =>
  z.strictObject({
    op: z.literal('vroute'),
    namespace: namespaceName.optional(),
    prefix,
    ...routeFields(),
  });
/**
 * Many entries of a router that differ in nothing but their prefix, as `vroute` for each: a router with 100,000 routes
 * has few next hops. `prefixes`: separated by spaces, each once.
 */
const vroutes = () =>
  z.strictObject({
    op: z.literal('vroutes'),
    namespace: namespaceName,
    prefixes: z
      .string()
      .regex(/^[0-9./]+( [0-9./]+)*$/)
      .max(40_000_000),
    ...routeFields(),
  });

const nexthopUp = () =>
  z.strictObject({
    op: z.literal('nexthop_up'),
    id: nexthopId,
    via: address,
    interface: interfaceName,
  });
const nexthopDown = () => z.strictObject({ op: z.literal('nexthop_down'), id: nexthopId });

/**
 * The nexthop group of a gateway's peer. All traffic takes `active`. `resilient`: a one-bucket resilient group of all
 * `members`, each of which passes the reverse-path check (feasible uRPF); otherwise the group holds `active` alone.
 */
const groupUp = () =>
  z.strictObject({
    op: z.literal('group_up'),
    id: nexthopId,
    members: z.array(nexthopId).min(1).max(2),
    active: nexthopId,
    resilient: z.boolean(),
  });
const groupDown = () => z.strictObject({ op: z.literal('group_down'), id: nexthopId });

/**
 * The rules that lead traffic from and to the slice's subnet into the slice's table, which rejects unknown
 * destinations.
 */
const ruleUp = () => z.strictObject({ op: z.literal('rule_up') });
const ruleDown = () => z.strictObject({ op: z.literal('rule_down') });

/**
 * A gate between an end host's access interface and the node's forwarding. Open, it passes everything; closed (by an
 * armed action), it holds up to `limitBytes` without loss.
 */
const gateUp = () =>
  z.strictObject({
    op: z.literal('gate_up'),
    interface: interfaceName,
    limitBytes: z.int().min(2048).max(1_000_000_000),
  });
const gateDown = () => z.strictObject({ op: z.literal('gate_down'), interface: interfaceName });

/**
 * One side of a forward, which lets a program of one end host use a UDP port of another end host through the VN, by
 * 127.0.0.1. `listen`: what comes to `localPort` of 127.0.0.1 leaves as packets from `address`, from a port per local
 * client, to `to`. `deliver`: what comes to `address` and `port` goes to the same port of 127.0.0.1, from a local port
 * per sender. Answers take the same way back.
 */
const listenSide = () =>
  z.strictObject({
    side: z.literal('listen'),
    localPort: udpPort,
    address,
    to: z.strictObject({ address, port: udpPort }),
  });
const deliverSide = () => z.strictObject({ side: z.literal('deliver'), address, port: udpPort });
const forwardUp = () =>
  z.discriminatedUnion('side', [
    listenSide().extend({ op: z.literal('forward_up') }),
    deliverSide().extend({ op: z.literal('forward_up') }),
  ]);
const forwardDown = () =>
  z.discriminatedUnion('side', [
    z.strictObject({ op: z.literal('forward_down'), side: z.literal('listen'), localPort: udpPort }),
    deliverSide().extend({ op: z.literal('forward_down') }),
  ]);

/** The most bytes of a daemon's configuration. */
const maxDaemonConfigBytes = 1024 * 1024;

/**
 * The routing daemon of a router's namespace, with its whole configuration. `protocols`: which daemons FRR runs
 * besides zebra and staticd; BIRD is one process whatever it speaks. Another configuration replaces the one before.
 */
export const daemonSchema = z.strictObject({
  kind: z.enum(daemonKinds),
  protocols: z
    .array(z.enum(['ospf', 'bgp']))
    .max(2)
    .default([]),
  config: z
    .string()
    .refine((text) => Buffer.byteLength(text) <= maxDaemonConfigBytes, `more than ${maxDaemonConfigBytes} bytes`)
    .refine((text) => !text.includes('\0'), 'a NUL character'),
});
/**
 * `graceful` (RFC 3623): a daemon that starts takes the forwarding entries of its protocols for its own until it has
 * learned its routes again. One that runs stays as it is.
 */
const daemonUp = () =>
  daemonSchema.extend({
    op: z.literal('daemon_up'),
    namespace: namespaceName,
    graceful: z.boolean().default(false),
  });
const daemonDown = () => z.strictObject({ op: z.literal('daemon_down'), namespace: namespaceName });
/** Ends the daemon for a start elsewhere: it tells its neighbours that it restarts, and its forwarding entries stay. */
const daemonLeave = () => z.strictObject({ op: z.literal('daemon_leave'), namespace: namespaceName });

/**
 * What becomes of OSPF packets that arrive at the tunnels of a router which moves. `sendTo`: a copy of each also goes
 * to the router's place on the node with this address, whose tunnels must accept packets from here. `gate`: `closed`
 * holds them; `open` lets what was held out in the order of arrival, once a daemon listens, and at a pace that it
 * bears; `none` does not touch them.
 */
const controlUp = () =>
  z.strictObject({
    op: z.literal('control_up'),
    namespace: namespaceName,
    sendTo: address.optional(),
    gate: z.enum(['none', 'closed', 'open']).default('none'),
  });
/** Lets out what is held, and leaves OSPF packets alone. */
const controlDown = () => z.strictObject({ op: z.literal('control_down'), namespace: namespaceName });

/**
 * The virtual machine of a router's namespace, which has the router's links instead of the namespace. Its image must be
 * on the node (`image_write`). One with other properties is started again; `state` changes nothing but what becomes of
 * packets.
 */
const machineUp = () =>
  machineSchema.extend({
    op: z.literal('machine_up'),
    namespace: namespaceName,
    state: z.enum(portStates).default('open'),
    /** A new one waits for a copy of another node's (`machine_copy_write`), and its guest then for `machine_go_on`. */
    incoming: z.literal(true).exactOptional(),
  });
const machineDown = () => z.strictObject({ op: z.literal('machine_down'), namespace: namespaceName });

export type ControlGate = z.infer<ReturnType<typeof controlUp>>['gate'];

export type Daemon = z.infer<typeof daemonSchema>;

/** A side of a forward. */
export type ForwardSide = z.infer<ReturnType<typeof listenSide>> | z.infer<ReturnType<typeof deliverSide>>;

/** Its parts are made when the first operation is checked: many agents of a command check none. */
export const operationSchema = z.lazy(() =>
  z.discriminatedUnion('op', [
    netnsUp(),
    netnsDown(),
    tunnelUp(),
    tunnelDown(),
    vifUp(),
    vifDown(),
    vroute(),
    vroutes(),
    nexthopUp(),
    nexthopDown(),
    groupUp(),
    groupDown(),
    ruleUp(),
    ruleDown(),
    gateUp(),
    gateDown(),
    forwardUp(),
    forwardDown(),
    daemonUp(),
    daemonDown(),
    daemonLeave(),
    controlUp(),
    controlDown(),
    machineUp(),
    machineDown(),
  ]),
);

export type Operation = z.infer<typeof operationSchema>;
/** The operation as a sender writes it: defaults may be left out. */
export type OperationInput = z.input<typeof operationSchema>;
export type OperationName = Operation['op'];

export const operationNames = [
  'netns_up',
  'netns_down',
  'tunnel_up',
  'tunnel_down',
  'vif_up',
  'vif_down',
  'vroute',
  'vroutes',
  'nexthop_up',
  'nexthop_down',
  'group_up',
  'group_down',
  'rule_up',
  'rule_down',
  'gate_up',
  'gate_down',
  'forward_up',
  'forward_down',
  'daemon_up',
  'daemon_down',
  'daemon_leave',
  'control_up',
  'control_down',
  'machine_up',
  'machine_down',
] as const satisfies readonly OperationName[];

/** The prefixes of one operation for routes. */
export function prefixesOf(operation: { readonly prefix: string } | { readonly prefixes: string }): string[] {
  return 'prefix' in operation ? [operation.prefix] : operation.prefixes.split(' ');
}

/** What one operation of a batch did. */
export interface OperationResult {
  readonly op: OperationName;
  readonly status: 'changed' | 'unchanged';
}
