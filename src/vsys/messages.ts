/**
 * The requests of the vsys protocol: JSON-RPC 2.0 over the SSH channel. Each method has a result type, and a schema for
 * its parameters that both ends check. Instants are Unix ms with fractions by the answering node's clock.
 */
import * as z from 'zod';
import type { RouterProgram } from '../model/daemon.ts';
import { maxPerSlot } from '../model/ids.ts';
import { maxImageBytes as maxMachineImageBytes } from '../model/machine.ts';
import { maxNtpServers, parseNtpServer } from '../model/ntp-server.ts';
import type { PackedRoutes } from '../model/packed-routes.ts';
import { longestConfirmMs } from '../model/patience.ts';
import type { Route } from '../model/route.ts';
import type { TunnelFeature } from '../model/tunnel.ts';
import { armableSchema, redirectionSchema } from './armable.ts';
import type { DaemonReport, DaemonState } from './daemon.ts';
import type { Difference } from './difference.ts';
import {
  imageDigest,
  type MachineCopy,
  type MachineReport,
  maxCopyPart,
  maxImagePart as maxMachineImagePart,
} from './machine.ts';
import type { Obstacle } from './obstacle.ts';
import {
  type ControlGate,
  type ForwardSide,
  interfaceName,
  namespaceName,
  type OperationResult,
  operationSchema,
} from './operations.ts';
import type { Policy } from './policy.ts';
import { terminalSchema } from './terminal.ts';
import { whenUsed } from './when-used.ts';

/** The largest message that either side accepts, in bytes. */
export const maxMessageBytes = 32 * 1024 * 1024;
/**
 * How long a node waits for `confirm`. SSH gives up a connection after 20 s of silence, and TCP, which retries after
 * ever longer pauses, gets through about 3 s after this.
 */
export const defaultConfirmMs = 10_000;
/** The most operations in a batch. */
export const maxOperations = 500_000;
/** The most actions armed at once: a gateway closes and opens one gate per end host, and redirects once per peer. */
const maxActions = 3 * maxPerSlot;

const address = z.ipv4();
/** The largest receive buffer of one stream, in bytes. */
export const maxBufferBytes = 16 * 1024 * 1024;
/** The most bytes of a command's input in one message; the agent keeps about as much of each of its outputs. */
export const maxCommandBytes = 256 * 1024;
/** The longest word of a command that Linux takes (MAX_ARG_STRLEN, with the zero at its end). */
const maxWordBytes = 128 * 1024 - 1;
/** The most bytes of a daemon's checkpoint in one message. */
const maxImagePart = 8 * 1024 * 1024;
/** The largest checkpoint of a daemon, compressed. */
const maxImageBytes = 256 * 1024 * 1024;
/** What `tcpdump` takes at most from a packet. */
export const maxSnaplen = 262_144;
const streamId = z.string().regex(/^[a-z0-9-]{1,64}$/);
const commandId = z.uuid();
const word = z
  .string()
  .max(maxWordBytes)
  .refine((text) => !text.includes('\0'), 'a zero byte');
/** The ticket of the calling command, from `claim`. */
const ticket = z.int().min(1).optional();
const armedId = z.string().regex(/^[a-z0-9-]{1,64}$/);
const ntpServer = z.string().max(260).refine(isNtpServer, 'not HOST or HOST:PORT');

function isNtpServer(text: string): boolean {
  try {
    return parseNtpServer(text).host !== '';
  } catch {
    return false;
  }
}

const watchId = z.string().regex(/^[a-z0-9-]{1,64}$/);
const watchTarget = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$/),
  to: address,
  port: z.int().min(1).max(65_535).optional(),
});
const watchTargets = z
  .array(watchTarget)
  .max(maxPerSlot)
  .refine(
    (targets) => new Set(targets.map(({ name }) => name)).size === targets.length,
    'two targets have the same name',
  );

export const requestSchemas = whenUsed({
  /** Says who answers and what the node can do. */
  hello: () => z.strictObject({}),
  /**
   * Claims a VN, or without `vn` the whole slice, for a command: from now on requests with the ticket of an earlier
   * claim of the same are refused, whenever they arrive. `after`: the last ticket that the sender knows, 0 for none;
   * the claim is granted if that is the last one.
   */
  claim: () =>
    z.strictObject({
      vn: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)
        .optional(),
      after: z.int().min(0),
    }),
  /**
   * Applies all operations in order, or none. `dryRun` plans and changes nothing. `repair` replaces what exists with
   * other parameters; without it that is a `conflict`. With either, the answer has the differences. The answer has a
   * token when the node will undo the batch unless `confirm` arrives within `confirmWithinMs`.
   */
  apply: () =>
    z.strictObject({
      operations: z.array(operationSchema).max(maxOperations),
      dryRun: z.boolean().default(false),
      repair: z.boolean().default(false),
      ticket,
      confirmWithinMs: z.int().min(100).max(longestConfirmMs).optional(),
    }),
  /** Shows that the answer to `apply` arrived: the batch did not cut the path to the node. */
  confirm: () => z.strictObject({ token: z.uuid() }),
  /** Lists what on this node collides with the slice's subnet or ids. */
  collisions: () => z.strictObject({}),
  /** Lists everything on the node that carries the slice's mark. */
  inventory: () => z.strictObject({}),
  /** Counts what the slice's interfaces carried, and what was dropped. */
  counters: () => z.strictObject({}),
  /** Reads the forwarding entries of a router namespace (main table), or of the slice's table. */
  routes: () =>
    z.strictObject({
      namespace: namespaceName.optional(),
      packed: z.boolean().default(false),
      /** The digest of an earlier answer: if it is still the same, there is nothing to send. */
      unless: z.hex().length(64).optional(),
    }),
  /** Asks the routing daemon of a router's namespace for its neighbours and the origins of its routes. */
  daemon_state: () => z.strictObject({ namespace: namespaceName }),
  /**
   * Stops the routing daemon of a router's namespace and takes a checkpoint of it, for another node. It stays stopped
   * until `daemon_settle`.
   */
  daemon_dump: () => z.strictObject({ namespace: namespaceName, ticket }),
  /** Returns a part of the checkpoint, at most `bytes` from `offset`, in base64; empty at its end. */
  daemon_image_read: () =>
    z.strictObject({
      namespace: namespaceName,
      offset: z.int().min(0).max(maxImageBytes),
      bytes: z.int().min(1).max(maxImagePart).default(maxImagePart),
    }),
  /** Takes a part of a checkpoint, in base64; they come in order, and the one at 0 begins a new checkpoint. */
  daemon_image_write: () =>
    z.strictObject({
      namespace: namespaceName,
      offset: z.int().min(0).max(maxImageBytes),
      data: z.string().max(4 * Math.ceil(maxImagePart / 3)),
    }),
  /** Says how much of an image is on the node. */
  image_state: () => z.strictObject({ digest: imageDigest }),
  /**
   * Takes a part of an image, in base64; parts come in order, and `offset` is how much is there. `total`: the size of
   * the whole. With its last byte the image is checked by its digest, and complete.
   */
  image_write: () =>
    z.strictObject({
      digest: imageDigest,
      total: z.int().min(1).max(maxMachineImageBytes),
      offset: z.int().min(0).max(maxMachineImageBytes),
      data: z.string().max(4 * Math.ceil(maxMachineImagePart / 3)),
    }),
  /**
   * Copies the guest of the machine in a router's namespace, for another node. `suspend`: it stands still from the
   * beginning, and afterwards until `machine_go_on`; otherwise it runs, and goes on. `live`: the copy does not wait on
   * this node but is read while it is made, and the guest stands still at its end.
   */
  machine_copy: () =>
    z.strictObject({
      namespace: namespaceName,
      how: z.enum(['running', 'suspend', 'live']),
      ticket,
    }),
  /**
   * Returns the next part of the copy, from `offset`, in base64, perhaps compressed (gzip); empty at its end. With
   * `live` it waits for it, and parts must be read in order.
   */
  machine_copy_read: () =>
    z.strictObject({
      namespace: namespaceName,
      offset: z.int().min(0),
      compress: z.boolean().default(false),
    }),
  /**
   * Takes a part of a copy for the machine in the namespace, which was started `incoming`; parts come in order. An
   * empty one ends the copy: it is answered when the guest is complete.
   */
  machine_copy_write: () =>
    z.strictObject({
      namespace: namespaceName,
      offset: z.int().min(0),
      data: z.string().max(4 * Math.ceil((maxCopyPart + 65_536) / 3)),
      compressed: z.boolean().default(false),
      ticket,
    }),
  /** Lets a guest go on that stands still, and ends its copying. */
  machine_go_on: () => z.strictObject({ namespace: namespaceName, ticket }),
  /**
   * Lets the daemon whose checkpoint has arrived continue in the namespace, which must have the same interfaces.
   * `bytes`, `sha256`: as `daemon_dump` answered.
   */
  daemon_restore: () =>
    z.strictObject({
      namespace: namespaceName,
      bytes: z.int().min(1).max(maxImageBytes),
      sha256: z.hex().length(64),
      ticket,
    }),
  /**
   * Says what became of a stopped daemon: `moved`, its copy runs, so it is killed, and its routes stay in the
   * namespace; `stayed`, there is no copy, so it continues. Where a checkpoint was to be restored, `stayed` removes
   * what has arrived of it. A second time it changes nothing.
   */
  daemon_settle: () => z.strictObject({ namespace: namespaceName, outcome: z.enum(['moved', 'stayed']), ticket }),
  /**
   * Counts the changes of adjacencies that the routing daemon of a router's namespace has logged. The first request has
   * the daemon log them.
   */
  neighbour_events: () => z.strictObject({ namespace: namespaceName }),
  /** Returns the largest IP packet for the path to each address, by the outgoing interface. */
  path_mtu: () => z.strictObject({ remotes: z.array(address).max(2 * maxPerSlot) }),
  /**
   * Makes another nexthop of each group the active one, all in one write. One that is not a member becomes the group's
   * only one.
   */
  redirect: () => z.strictObject({ groups: z.array(redirectionSchema).min(1).max(maxPerSlot), ticket }),
  /**
   * Arms actions for an exact instant: `at` by this node's clock, converted to monotonic time at once, so that no step
   * of the clock moves it. Answers when they are armed; from then on they run even if the connection is lost, and never
   * early. `dryRun` prepares everything, starts what is not running, and arms nothing: the next `arm` then takes no
   * longer than that.
   */
  arm: () =>
    z.strictObject({
      id: armedId,
      at: z.number().positive(),
      actions: z.array(armableSchema).min(1).max(maxActions),
      dryRun: z.boolean().optional(),
      ticket,
    }),
  /** Cancels armed actions, if the first one has not begun: none of them will run. */
  cancel: () => z.strictObject({ id: armedId }),
  /** Returns what became of armed actions; kept for a day. */
  armed_results: () => z.strictObject({ id: armedId, forget: z.boolean().default(false) }),
  /** Measures how late this node's timer begins actions that do nothing. */
  timer_lag: () => z.strictObject({ samples: z.int().min(1).max(1000) }),
  /** Makes one exchange of time stamps. */
  clock: () => z.strictObject({}),
  /** Reads the node's clock against UTC, from the given NTP servers and from chrony where the node has it. */
  utc: () => z.strictObject({ ntpServers: z.array(ntpServer).max(maxNtpServers) }),
  /**
   * Receives a stream of numbered UDP packets on an address of the slice; answers the port. One packet goes from there
   * to the same port of `sender`, so that a firewall here that lets answers in takes the stream for an answer.
   * `bufferBytes`: room for packets that wait for the agent, where the node allows that much.
   */
  stream_open: () =>
    z.strictObject({
      stream: streamId,
      address,
      sender: address.optional(),
      bufferBytes: z.int().min(1).max(maxBufferBytes).optional(),
    }),
  /**
   * Sends `count` packets evenly spaced, or without it until stopped, for at most an hour; the stream ends with its
   * channel. Uses the port that it sends to as its own, if that is free.
   */
  stream_send: () =>
    z.strictObject({
      stream: streamId,
      from: address,
      to: address,
      port: z.int().min(1).max(65_535),
      payloadBytes: z.int().min(24).max(65_000),
      rateBps: z.number().positive().max(1e11),
      count: z.int().min(1).max(100_000_000).optional(),
    }),
  /**
   * `stream_stop` stops sending. `stream_report` says what this node has sent and received; `close` forgets the stream.
   * With `until`, it answers when so many packets have arrived, or none has for `quietMs`.
   */
  stream_stop: () => z.strictObject({ stream: streamId }),
  stream_report: () =>
    z.strictObject({
      stream: streamId,
      close: z.boolean().default(false),
      until: z
        .strictObject({ packets: z.int().min(0).max(100_000_000), quietMs: z.number().min(0).max(60_000) })
        .optional(),
    }),
  /**
   * Tests whether each address answers a UDP packet (with any reply, or ICMP port unreachable) or an ICMP echo request
   * sent from `from`, in order. With `bytes` the packets have this size, IP header included, and Don't Fragment.
   */
  reach: () =>
    z.strictObject({
      from: address,
      to: z.array(address).min(1).max(64),
      timeoutMs: z.number().positive().max(60_000),
      bytes: z.int().min(64).max(65_535).optional(),
    }),
  /**
   * Finds the largest IP packet, at most `largest` bytes, that gets from each `from` to its `to` and back with Don't
   * Fragment, in order; from a router namespace where one is given. Only answered probes count, not what any hop
   * reports.
   */
  packet_sizes: () =>
    z.strictObject({
      probes: z
        .array(z.strictObject({ namespace: namespaceName.optional(), from: address, to: address }))
        .min(1)
        .max(1024),
      smallest: z.int().min(64).max(65_535),
      largest: z.int().min(64).max(65_535),
      timeoutMs: z.number().positive().max(60_000),
    }),
  /**
   * Sends each target one small packet from `from` every `intervalMs`, until stopped or until no controller has asked
   * for a minute. A target without `port` is a router's address and answers as for `reach`, but must not limit its
   * answers. A target with `port` is another agent's watch, which sends back what it gets; a closed port there is an
   * answer of the node, too. Answers the port of `from` where this watch does so. With a known id, the targets and
   * times are replaced; the port and the counts of unchanged targets continue, as long as `from` does.
   */
  watch: () =>
    z.strictObject({
      id: watchId,
      from: address,
      intervalMs: z.number().min(50).max(10_000),
      timeoutMs: z.number().min(10).max(10_000),
      targets: watchTargets,
    }),
  /** Reports what all watches of this agent have seen so far. */
  watch_report: () => z.strictObject({}),
  watch_stop: () => z.strictObject({ id: watchId }),
  /** Lists what on the node is in the way of VNs but does not belong to the slice. `port`: the port of the tunnels. */
  obstacles: () => z.strictObject({ port: z.int().min(1).max(65_535) }),
  /**
   * Starts a program in a router's network namespace, or where the router is a virtual machine in its guest, by the
   * shell on its console; answers an id. The program is ended with the channel, and
   * when the router is removed. The policy says whether it is allowed, and as which user it runs. With `terminal` it
   * has one, as `terminalWords` says.
   */
  exec: () =>
    z.strictObject({
      namespace: namespaceName,
      command: z
        .array(word)
        .min(1)
        .max(4096)
        .refine(([program = '']) => program !== '' && !program.startsWith('-'), 'not the name of a program'),
      terminal: terminalSchema.optional(),
    }),
  /**
   * Joins a command's streams with the console of the machine in a router's namespace, as `exec` does. One at a time
   * has the console.
   */
  console: () => z.strictObject({ namespace: namespaceName, terminal: terminalSchema.optional() }),
  /** Returns the last part of what the guest of a machine has written to its console. */
  console_log: () => z.strictObject({ namespace: namespaceName }),
  /**
   * Starts `tcpdump` on an interface of a router, as `exec` does, or without `namespace` on one of the slice in the
   * node's own network; its output is a pcap file. Of each packet it takes `snaplen` bytes, and it ends after `count`
   * packets.
   */
  capture: () =>
    z.strictObject({
      namespace: namespaceName.optional(),
      interface: interfaceName,
      snaplen: z.int().min(64).max(maxSnaplen),
      count: z.int().min(1).max(1_000_000_000).optional(),
    }),
  /**
   * Passes input to a command, in base64, and with `end` the end of its input. What is not accepted must be sent again:
   * the command has not read what came before.
   */
  exec_write: () =>
    z.strictObject({
      id: commandId,
      data: z.string().max(4 * Math.ceil(maxCommandBytes / 3)),
      end: z.boolean().default(false),
    }),
  /** Returns what a command has printed since the last time; waits a while for something. */
  exec_read: () => z.strictObject({ id: commandId }),
  /** Sends a signal to a command and to what it started. */
  exec_signal: () => z.strictObject({ id: commandId, signal: z.enum(['INT', 'TERM', 'KILL']) }),
  /** Stops the agent; everything installed stays. */
  shutdown: () => z.strictObject({}),
});

export type Method = keyof typeof requestSchemas;
export type Params<M extends Method> = z.infer<(typeof requestSchemas)[M]>;
/** The parameters as a sender writes them. */
export type ParamsInput<M extends Method> = z.input<(typeof requestSchemas)[M]>;

export interface Results {
  /** `plane` is absent from an agent of an earlier version, which had only the kernel's. */
  hello: Omit<NodeFacts, 'plane'> & Partial<Pick<NodeFacts, 'plane'>>;
  /** `ticket`: the new one, or the last one where the claim is not granted. */
  claim: { granted: boolean; ticket: number };
  apply: BatchResult;
  confirm: Record<string, never>;
  collisions: { readonly collisions: Collision[]; readonly installed: boolean };
  inventory: Inventory;
  counters: NodeCounters;
  /** `packed`: the routes if that was asked; then `routes` is empty. `unchanged`: the digest is the one asked about. */
  routes: { digest: string; routes: Route[]; packed?: PackedRoutes[]; unchanged?: true };
  daemon_state: DaemonState;
  daemon_dump: { bytes: number; sha256: string };
  daemon_image_read: { data: string };
  daemon_image_write: Record<string, never>;
  daemon_restore: { processes: readonly { readonly name: string; readonly pid: number }[] };
  daemon_settle: Record<string, never>;
  /** By the neighbour's router id. */
  image_state: { complete: boolean; bytes: number };
  image_write: { bytes: number };
  /** With `live` nothing is known yet. `writeBytesPerS`: how fast this node writes where the copy is. */
  machine_copy: Partial<MachineCopy> & { writeBytesPerS?: number };
  /** `bytes`: of the part, before it is compressed. `copy`: at the end. */
  machine_copy_read: { data: string; bytes: number; copy?: MachineCopy };
  machine_copy_write: Record<string, never>;
  machine_go_on: Record<string, never>;
  neighbour_events: { events: Readonly<Record<string, number>> };
  path_mtu: { mtus: number[] };
  redirect: { startedAt: number; finishedAt: number };
  arm: Record<string, never>;
  cancel: { result: 'cancelled' | 'fired' };
  armed_results: ArmedResults;
  timer_lag: { lagMs: number[] };
  clock: { receivedAt: number; sentAt: number };
  utc: UtcReport;
  stream_open: { port: number };
  stream_send: Record<string, never>;
  stream_stop: { sent: number };
  stream_report: StreamReport;
  reach: { answered: boolean[] };
  /** Null where nothing answers at any size, or the node has no program that can probe. */
  packet_sizes: { sizes: (number | null)[] };
  watch: { port: number };
  watch_report: { watches: WatchReport[] };
  watch_stop: Record<string, never>;
  obstacles: { obstacles: Obstacle[] };
  exec: { id: string };
  console: { id: string };
  console_log: { text: string };
  capture: { id: string };
  /** `open`: whether the command still reads its input. */
  exec_write: { accepted: boolean; open: boolean };
  exec_read: CommandOutput;
  exec_signal: Record<string, never>;
  shutdown: Record<string, never>;
}

/** In base64. */
interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
  /** Present once the command has ended and this is its last output; its id is then forgotten. */
  readonly ended?: CommandEnd;
}

export interface CommandEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Without `SIG`. */
  readonly signal?: string;
}

/** What a batch did, or would do. */
export interface BatchResult {
  readonly results: OperationResult[];
  /** What differed from the operations; only with `dryRun` or `repair`. */
  readonly differences?: Difference[];
  /** Absent when there is nothing to confirm. */
  readonly confirm?: Confirmation;
}

export interface Confirmation {
  readonly token: string;
  /** After this time the node undoes the batch. */
  readonly withinMs: number;
}

/** Something inside the slice's subnet, or containing it, that is not the slice's. */
export interface Collision {
  /** Names its owner, too: interface, table, policy. */
  readonly what: string;
  /** Name of the slice that it belongs to. */
  readonly slice?: string;
}

/** What became of an armed set of actions; instants by this node's clock as it was when they were armed. */
export interface ArmedResults {
  readonly state: 'armed' | 'fired' | 'failed' | 'missed' | 'cancelled';
  /** In the order given; an action without `startedAt` was not begun. */
  readonly actions: readonly {
    readonly plannedAt: number;
    readonly startedAt?: number;
    readonly finishedAt?: number;
    readonly error?: string;
  }[];
}

export interface NodeFacts {
  /**
   * `digest`: sha256 of the agent's file, in hex. `process`: random; two nodes that answer the same value are one
   * machine.
   */
  readonly agent: { version: string; digest: string; pid: number; startedAt: number; node: string; process?: string };
  readonly policy: Policy;
  /**
   * Whether the policy is in a file on the node; a policy that the controller brought gets one when something is
   * installed.
   */
  readonly policyFile: boolean;
  /** The data plane that carries the slice there: `kernel`. */
  readonly plane: string;
  readonly kernel: string;
  readonly features: readonly Feature[];
}

/** One thing a node can or cannot do; `detail` says why not, or what follows. */
export interface Feature {
  readonly name:
    | 'root'
    | TunnelFeature
    | 'nexthop-groups'
    | 'resilient-groups'
    | 'nexthop-compat-off'
    | 'rp-filter'
    | 'realtime'
    | 'ifb-gate'
    | 'tunnel-filter'
    | 'control-packets'
    | 'capture'
    | 'criu'
    | 'machine'
    | RouterProgram;
  readonly available: boolean;
  readonly detail?: string;
}

export interface Inventory {
  readonly namespaces: readonly string[];
  readonly interfaces: readonly InterfaceState[];
  readonly routes: readonly (Route & { namespace?: string })[];
  readonly nexthops: readonly NexthopState[];
  /** Whether the slice's rules exist. */
  readonly rules: boolean;
  /** Absent where there are none. */
  readonly forwards?: readonly ForwardSide[];
  /** Absent where there are none. */
  readonly daemons?: readonly DaemonReport[];
  /** Absent where there are none. */
  readonly machines?: readonly MachineReport[];
  /** Absent where there are none. */
  readonly control?: readonly ControlReport[];
}

/** What becomes of the OSPF packets that arrive at a router which moves, and how many did since that was set up. */
export interface ControlReport {
  readonly namespace: string;
  /** The interfaces where they arrive. */
  readonly tunnels: readonly string[];
  /** The node to which copies go. */
  readonly sendTo?: string;
  readonly gate: ControlGate;
  /** Copies that were sent. */
  readonly sent: number;
  /** Packets that passed the gate or are in it. */
  readonly held: number;
  /** Packets for which the gate had no room. */
  readonly dropped: number;
}

export interface InterfaceState {
  readonly name: string;
  readonly namespace?: string;
  readonly kind: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly mac?: string;
  readonly vni?: number;
  readonly remote?: string;
  /** Source address of a tunnel's packets, where it is not left to the kernel. */
  readonly local?: string;
  readonly port?: number;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** The other end of a pair, if it is the slice's too. */
  readonly peer?: { readonly name: string; readonly namespace?: string };
  /** For a gate: the interface that it belongs to, and whether it holds packets. */
  readonly gate?: { readonly interface: string; readonly closed: boolean };
}

/** Since the interfaces were made; in user space, since the agent started. */
export interface NodeCounters {
  readonly interfaces: readonly InterfaceCounters[];
  /** Only reasons for which packets were dropped. The kernel data plane knows one: `interface`. */
  readonly drops: readonly { readonly reason: string; readonly packets: number }[];
}

export interface InterfaceCounters {
  readonly namespace?: string;
  readonly name: string;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

export interface NexthopState {
  readonly id: number;
  readonly via?: string;
  readonly interface?: string;
  /** Members of a group. */
  readonly group?: readonly number[];
  /** The member that takes the traffic; absent in a group that someone else redirected. */
  readonly active?: number;
  readonly resilient?: boolean;
}

interface UtcReport {
  /** `offsetMs`: the node's clock minus UTC. */
  readonly sources: { kind: 'ntp' | 'chrony'; name: string; offsetMs: number; boundMs: number }[];
  /** Servers that could not be read, and why. */
  readonly errors: string[];
}

export interface StreamReport {
  /** Packets sent by this node, 0 if it is not the sender. */
  readonly sent: number;
  /** Distinct packets received. */
  readonly received: number;
  readonly duplicated: number;
  /** Packets that arrived after one with a higher number (RFC 4737). */
  readonly reordered: number;
  /** Longest time between two arrivals. */
  readonly maxGapMs: number;
  /** Packets that reached this node but found no room in its receiving socket. */
  readonly dropped: number;
  /** Arrival minus sending time, by the two nodes' own clocks (may be negative); absent when nothing arrived. */
  readonly delayMs?: { min: number; median: number; p99: number; max: number };
}

export interface WatchReport {
  readonly id: string;
  /** The port on which it answers other agents' watches. */
  readonly port: number;
  /** In the order given. */
  readonly targets: readonly WatchedTarget[];
}

/**
 * A probe is missed when nothing has come from the target within `timeoutMs` of its sending. Probes in flight while the
 * agent could not read (stopped, starved) are neither answered nor missed.
 */
export interface WatchedTarget {
  readonly name: string;
  /** Probes, including those that the kernel refused to send: these will be missed. */
  readonly sent: number;
  /** Probes that got an answer of their own, even if a later one was answered first. */
  readonly answered: number;
  /** Probes missed since the last packet from the target. */
  readonly missedInRow: number;
  /** Probes answered since the last missed one. */
  readonly answeredInRow: number;
  /**
   * Round-trip time of the last probe that was answered in time. A router does not say which probe it answers: for one
   * that takes longer than the interval, the value is too small.
   */
  readonly rttMs?: number;
  /** Ms since the last packet from the target; absent when there was none. */
  readonly sinceAnswerMs?: number;
}
