/**
 * The schema of slice files; it does not check references. Titles and descriptions appear in the JSON Schema, for
 * editors, and in messages: a title says what was expected, a description is the hint.
 */
import * as z from 'zod';
import { parsePrefix } from '../model/address.ts';
import { asRange, defaultDeadS, defaultHelloS, routingProtocols } from '../model/daemon.ts';
import { dataplanes } from '../model/dataplane.ts';
import { maxNumber } from '../model/ids.ts';
import { consoleModes, defaultConsole, defaultMemoryMib, maxUserDataBytes } from '../model/machine.ts';
import { mtuRange } from '../model/mtu.ts';
import { maxNtpServers, ntpServerPattern } from '../model/ntp-server.ts';
import { defaultPatienceS, patienceRangeS } from '../model/patience.ts';
import { defaultRouterKind, routerKindNames } from '../model/router.ts';
import { noWay, transports } from '../model/ssh-way.ts';
import { memoryPattern, parseMemory } from './memory.ts';
import * as names from './names.ts';
import { parseRate, ratePattern } from './rate.ts';
import { name, text } from './text-schema.ts';
import { describeValue, quote } from './words.ts';

/** A name that must be declared elsewhere in the file; a later check verifies that. */
function reference(title: string, description: string) {
  return z.string().meta({ title, description });
}

const maxForwards = 64;
const maxNeighbours = 64;
/** Lower ones belong to the services of the node. */
export const forwardPorts = [1024, 65_535] as const;
export const toPorts = [1, 65_535] as const;

const port = z.int().min(1).max(65_535).describe('SSH port, 1 to 65535; 22 if left out');
const user = text({ title: 'login name', description: 'login on the node' }, names.parseUser);
const key = z.string().min(1).describe('path of a private key file; ~/ is your home');
const patience = z
  .number()
  .min(patienceRangeS[0])
  .max(patienceRangeS[1])
  .describe(
    `seconds that a login may take, and the unit of all other time limits, ${patienceRangeS.join(' to ')}; ${defaultPatienceS} if left out`,
  );

const host = text(
  {
    title: 'host name or IP address',
    description: 'the host for SSH; without it, the node is on the local testbed',
  },
  names.parseHost,
);
const maxJumps = 8;
const jumpHostSchema = z.union([
  text({ title: 'jump host', description: '[user@]host[:port], like me@bastion.example.org:22' }, names.parseJumpHost),
  z
    .strictObject({
      host: host.meta({ description: 'the host, or its name in your SSH configuration' }),
      port: port.exactOptional(),
      user: user.describe('login on the jump host; by default as ssh does').exactOptional(),
      key: key.exactOptional(),
    })
    .describe('{ host: bastion.example.org, port: 22, user: me, key: ~/.ssh/bastion }'),
]);
/** How SSH reaches a node: keys of `ssh`, of the slice or a node. */
const wayShape = {
  config: z
    .string()
    .min(1)
    .describe(
      'a file to read instead of your SSH configuration, ~/ is your home; none: read no file; by default what ssh itself reads',
    )
    .exactOptional(),
  transport: z
    .enum(transports, {
      error: ({ input }) =>
        typeof input === 'string'
          ? `unknown transport ${quote(input)}`
          : `expected a transport, found ${describeValue(input)}`,
    })
    .describe('ssh2 (built in) or openssh (the program ssh of this machine, with all that it can do); ssh2 if left out')
    .exactOptional(),
  jump: z
    .union([
      z.array(jumpHostSchema).min(1).max(maxJumps),
      z.literal(noWay, {
        error: ({ input }) => `expected a list of jump hosts, or none, found ${describeValue(input)}`,
      }),
    ])
    .describe(
      'the servers to pass, from the first to the last: [me@bastion.example.org:22], or none; by default ProxyJump of your SSH configuration',
    )
    .exactOptional(),
};

const dataplane = z
  .enum(dataplanes, {
    error: ({ input }) =>
      typeof input === 'string'
        ? `unknown data plane ${quote(input)}`
        : `expected a data plane, found ${describeValue(input)}`,
  })
  .describe(
    'kernel (Linux, root) or userspace (virtual routers in the agent, no privilege); kernel if left out; a node on the local testbed has that of the testbed',
  );
const latencyMs = z.number().min(0).describe('one-way latency in ms, 0 or more');
const aNode = reference('node name', 'one of substrate.nodes');
const aRouter = reference('router name', "one of the VN's routers");
const anEndHost = reference('end host name', "one of the VN's endHosts");

const nodeSchema = z
  .strictObject({
    host: host.exactOptional(),
    port: port.exactOptional(),
    user: user.exactOptional(),
    key: key.exactOptional(),
    patience: patience.exactOptional(),
    dataplane: dataplane.exactOptional(),
    address: text(
      { title: 'IPv4 address', description: 'the address that other nodes send tunnel packets to, if not host' },
      names.parseAddressText,
    ).exactOptional(),
    ssh: z
      .strictObject(wayShape)
      .describe('how SSH reaches the node: { transport: openssh, jump: [me@bastion.example.org] }')
      .exactOptional(),
  })
  .describe(
    'a host reached over SSH: { host: node1.example.org, port: 22, user: me, key: ~/.ssh/id_ed25519 }; {} for a node on the local testbed',
  );

const latencyLinkSchema = z
  .tuple([aNode, aNode, latencyMs, latencyMs.exactOptional()])
  .describe('[from, to, ms] for both directions, or [from, to, ms, back]');

export const latencySchema = z
  .strictObject({
    default: latencyMs.describe('one-way latency in ms of all pairs not listed; 0 if left out').exactOptional(),
    links: z.array(latencyLinkSchema).describe('one-way latencies between nodes').exactOptional(),
  })
  .describe('one-way latencies in ms between substrate nodes: { default: 10, links: [[n1, n2, 25]] }');

const linkSchema = z
  .tuple([
    aRouter,
    aRouter,
    z.number().positive().describe('cost of the link, more than 0; 1 if left out').exactOptional(),
  ])
  .describe('[from, to] or [from, to, cost]');

const gatewaySchema = z
  .strictObject({
    node: aNode.describe('the substrate node that is the gateway'),
    router: aRouter.describe('the router that the gateway connects to'),
  })
  .describe('{ node: NODE, router: ROUTER }');

const forwardSchema = z
  .strictObject({
    port: z
      .int()
      .min(forwardPorts[0])
      .max(forwardPorts[1])
      .describe("UDP port of 127.0.0.1 on the end host's node where its programs send, 1024 to 65535"),
    to: anEndHost.describe('the end host where the program is that answers'),
    toPort: z
      .int()
      .min(toPorts[0])
      .max(toPorts[1])
      .describe('UDP port of that program, 1 to 65535; the same as port if left out')
      .exactOptional(),
  })
  .describe('{ port: 5353, to: END HOST, toPort: 53 }');

const endHostSchema = z
  .strictObject({
    node: aNode.describe('the substrate node that is the end host'),
    gateway: reference('the name of one gateway', 'one of gateways; an end host has exactly one'),
    forward: z
      .array(forwardSchema)
      .max(maxForwards)
      .describe(
        `UDP ports that lead to other end hosts, at most ${maxForwards}: [{ port: 5353, to: e2, toPort: 53 }]; only with the userspace data plane`,
      )
      .exactOptional(),
  })
  .describe('{ node: NODE, gateway: GATEWAY }');

/** A rate in bit/s. */
export const rateSchema = text(
  {
    title: 'rate with a unit',
    description: 'payload bits per second, like 1.5Mbps, 800kbps or 2Gbps',
    pattern: ratePattern.source,
  },
  parseRate,
);

export const payloadSchema = z
  .int()
  .min(24)
  .max(9000)
  .describe('UDP payload per packet in bytes, 24 to 9000; 1470 if left out');

const flowSchema = z
  .strictObject({
    from: anEndHost.describe('the sending end host'),
    to: anEndHost.describe('the receiving end host'),
    rate: rateSchema,
    priority: z
      .number()
      .positive()
      .describe('weight of a lost packet of this flow, more than 0; 1 if left out')
      .exactOptional(),
    payload: payloadSchema.exactOptional(),
  })
  .describe('{ from: END HOST, to: END HOST, rate: 1.5Mbps }');

const asNumber = z
  .int()
  .min(asRange[0])
  .max(asRange[1])
  .describe(`number of an autonomous system, ${asRange[0]} to ${asRange[1]}`);

const neighbourSchema = z
  .strictObject({
    router: aRouter.describe('a router of the VN at the other end of a link').exactOptional(),
    address: text(
      { title: 'IPv4 address', description: 'the address of an end host behind a gateway of the router' },
      names.parseAddressText,
    ).exactOptional(),
    as: asNumber.describe('the number of its autonomous system, with address only').exactOptional(),
  })
  .describe('{ router: ROUTER }, or { address: 10.65.0.1, as: 65010 }');

const bgpSchema = z
  .strictObject({
    as: asNumber,
    neighbours: z
      .array(neighbourSchema)
      .max(maxNeighbours)
      .describe(`its BGP sessions, at most ${maxNeighbours}: [{ router: ROUTER }]; one end of a session may list it`)
      .exactOptional(),
  })
  .describe('BGP of a router with a routing daemon: { as: 65001, neighbours: [{ router: ROUTER }] }');

/** A router: only its name, or a map. */
const routerSchema = z
  .union([
    name(names.routerName),
    z
      .strictObject({
        name: name(names.routerName),
        kind: z
          .enum(routerKindNames, {
            error: ({ input }) =>
              typeof input === 'string'
                ? `unknown router kind ${quote(input)}`
                : `expected a router kind, found ${describeValue(input)}`,
          })
          .describe(`known kinds: ${routerKindNames.join(', ')}; ${defaultRouterKind} if left out`)
          .exactOptional(),
        config: z
          .string()
          .min(1)
          .describe('a file with statements for the routing daemon; relative to the slice file')
          .exactOptional(),
        bgp: bgpSchema.exactOptional(),
        image: z
          .string()
          .min(1)
          .describe(
            'the image of a virtual machine, a disk or a tar with kernel and initrd; relative to the slice file',
          )
          .exactOptional(),
        memory: text(
          {
            title: 'memory with a unit',
            description: `memory of the virtual machine, like 128M or 2G; ${defaultMemoryMib}M if left out`,
            pattern: memoryPattern.source,
          },
          parseMemory,
        ).exactOptional(),
        console: z
          .enum(consoleModes, {
            error: ({ input }) =>
              typeof input === 'string'
                ? `unknown console mode ${quote(input)}`
                : `expected a console mode, found ${describeValue(input)}`,
          })
          .describe(`what becomes of the virtual machine's console: log (kept) or none; ${defaultConsole} if left out`)
          .exactOptional(),
        userData: z
          .string()
          .refine((value) => Buffer.byteLength(value) <= maxUserDataBytes, {
            error: `longer than ${maxUserDataBytes / 1024} KiB`,
          })
          .describe('user-data of cloud-init for the virtual machine, at most 64 KiB')
          .exactOptional(),
      })
      .describe(`{ name: a, kind: ${defaultRouterKind} }`),
  ])
  .meta({ title: names.routerName.noun, description: names.routerName.rule });

const placementSchema = z
  .record(z.string(), aNode.describe('one of substrate.nodes'))
  .describe('ROUTER: NODE for each router of the VN');

const placementsSchema = z
  .record(name(names.placementName), placementSchema)
  .describe('the node of each router, by placement name: { initial: { a: n1, b: n2 } }');

const seconds = z.int().min(1).max(65_535);

const routingSchema = z
  .strictObject({
    protocol: z
      .enum(routingProtocols, {
        error: ({ input }) =>
          typeof input === 'string'
            ? `unknown routing protocol ${quote(input)}`
            : `expected a routing protocol, found ${describeValue(input)}`,
      })
      .describe('ospf'),
    hello: seconds
      .describe(`seconds between two hello packets, 1 to 65535; ${defaultHelloS} if left out`)
      .exactOptional(),
    dead: seconds
      .describe(
        `seconds without hello packets until a neighbour is gone, more than hello, at most 65535; ${defaultDeadS} if left out`,
      )
      .exactOptional(),
  })
  .describe('what routers with a routing daemon speak: { protocol: ospf, hello: 1, dead: 4 }');

const vnShape = {
  name: name(names.vnName),
  routers: z.array(routerSchema).min(1).describe('the virtual routers: [a, b]; at least one'),
  links: z.array(linkSchema).describe('the virtual links: [[a, b]]').exactOptional(),
  gateways: z
    .record(name(names.gatewayName), gatewaySchema)
    .describe('the gateways by name: { g1: { node: NODE, router: ROUTER } }')
    .exactOptional(),
  endHosts: z
    .record(name(names.endHostName), endHostSchema)
    .describe('the end hosts by name: { e1: { node: NODE, gateway: GATEWAY } }')
    .exactOptional(),
  flows: z.array(flowSchema).describe('the traffic: [{ from: e1, to: e2, rate: 1.5Mbps }]').exactOptional(),
  routing: routingSchema.exactOptional(),
  mtu: z
    .int()
    .min(mtuRange[0])
    .max(mtuRange[1])
    .describe(
      `the largest packets that the VN carries, in bytes, ${mtuRange.join(' to ')}; if left out, what its narrowest tunnel carries, at most 1500`,
    )
    .exactOptional(),
};
const vnHint = 'a virtual network: name, routers, links, gateways, endHosts, flows';

const vnSchema = z.strictObject(vnShape).describe(vnHint);
const placedVnSchema = z.strictObject({ ...vnShape, placements: placementsSchema }).describe(`${vnHint}, placements`);

const ntpSchema = z
  .array(
    text(
      {
        title: 'time server',
        description: 'host or host:port, like ntp1.example.org or 192.0.2.7:123',
        pattern: ntpServerPattern.source,
      },
      names.parseNtpServerText,
    ),
  )
  .max(maxNtpServers)
  .describe(
    `NTP servers for the controller and the nodes, at most ${maxNtpServers}: [ntp1.example.org, 192.0.2.7:123]; single servers, not pools`,
  );

const repairSchema = z
  .literal(['on', 'off', true, false], { error: ({ input }) => `expected on or off, found ${describeValue(input)}` })
  .transform((value) => value === 'on' || value === true)
  .describe('whether the service repairs differences on the nodes: on or off; on if left out');

export const vnetSchema = text(
  {
    title: 'IPv4 prefix',
    description: "the slice's private subnet, like 10.65.0.0/16",
    pattern: String.raw`^\d+\.\d+\.\d+\.\d+/\d+$`,
  },
  parsePrefix,
);

export const sliceSchema = z
  .strictObject({
    slice: name(names.sliceName).describe(`name of the slice: ${names.sliceName.rule}`),
    number: z
      .int()
      .min(1)
      .max(maxNumber)
      .describe(`keeps slices on one node apart, 1 to ${maxNumber}; made from the name if left out`)
      .exactOptional(),
    vnet: vnetSchema,
    public: z
      .literal([true, false], { error: ({ input }) => `expected true or false, found ${describeValue(input)}` })
      .describe('true if vnet may be outside private (RFC 1918) and shared (RFC 6598) address space')
      .exactOptional(),
    ssh: z
      .strictObject({
        user: user.exactOptional(),
        port: port.exactOptional(),
        key: key.exactOptional(),
        patience: patience.exactOptional(),
        ...wayShape,
      })
      .describe(
        'defaults for all nodes with a host: { user: me, port: 22, key: ~/.ssh/id_ed25519, jump: [me@bastion.example.org] }; patience for all nodes: { patience: 60 }',
      )
      .exactOptional(),
    dataplane: dataplane
      .describe('the data plane of all nodes with a host: kernel or userspace; kernel if left out')
      .exactOptional(),
    ntp: ntpSchema.exactOptional(),
    repair: repairSchema.exactOptional(),
    substrate: z
      .strictObject({
        nodes: z
          .record(name(names.nodeName), nodeSchema)
          .describe('the substrate nodes by name: { n1: {}, n2: { host: node2.example.org } }'),
        latency: latencySchema.exactOptional(),
      })
      .describe('the hosts that the slice may use: { nodes: { n1: {}, n2: {} } }'),
    vn: vnSchema.exactOptional(),
    placements: placementsSchema.exactOptional(),
    vns: z.array(placedVnSchema).min(1).describe('several VNs, each with its own placements').exactOptional(),
  })
  .meta({
    title: 'PL-VNM slice file',
    description: 'a slice: slice, vnet, substrate, and vn with placements, or vns',
    oneOf: [
      { type: 'object', required: ['vn', 'placements'], properties: { vns: false } },
      { type: 'object', required: ['vns'], properties: { vn: false, placements: false } },
    ],
  });

export type RawSlice = z.output<typeof sliceSchema>;
export type RawNode = z.output<typeof nodeSchema>;
export type RawWay = NonNullable<RawNode['ssh']>;
export type RawVn = z.output<typeof vnSchema>;
export type RawRouter = z.output<typeof routerSchema>;
export type RawBgp = z.output<typeof bgpSchema>;
export type RawLatencyLink = z.output<typeof latencyLinkSchema>;
