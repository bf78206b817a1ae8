/**
 * The requests of the vsys protocol: JSON-RPC 2.0 over the SSH channel. Each method has a schema for its parameters, checked at
 * both ends, and a result type. Instants are Unix ms with fractions by the answering node's clock.
 */
import * as z from 'zod';
import { maxPerSlot } from '../model/ids.ts';
import { maxNtpServers, parseNtpServer } from '../model/ntp-server.ts';
import { longestConfirmMs } from '../model/patience.ts';
import type { Route } from '../model/route.ts';
import type { TunnelFeature } from '../model/tunnel.ts';
import { armableSchema, redirectionSchema } from './armable.ts';
import type { Difference } from './difference.ts';
import type { Obstacle } from './obstacle.ts';
import { namespaceName, type OperationResult, operationSchema } from './operations.ts';
import type { Policy } from './policy.ts';

/** Largest message either side takes, in bytes. */
export const maxMessageBytes = 32 * 1024 * 1024;
/**
 * How long a node waits for `confirm`. SSH gives a connection up after 20 s of silence, and TCP, which tries again after ever longer
 * pauses, comes through about 3 s after this.
 */
export const defaultConfirmMs = 10_000;
/** Most operations of a batch. */
export const maxOperations = 500_000;
/** Most actions armed at once: a gateway closes and opens a gate per end host, and redirects per peer. */
const maxActions = 3 * maxPerSlot;

const address = z.ipv4();
/** Most bytes of receive buffer of one stream. */
export const maxBufferBytes = 16 * 1024 * 1024;
const streamId = z.string().regex(/^[a-z0-9-]{1,64}$/);
/** Of the command that asks, from `claim`. */
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
  .max(256)
  .refine((targets) => new Set(targets.map(({ name }) => name)).size === targets.length, 'two targets have one name');

export const requestSchemas = {
  /** Who answers and what the node can do. */
  hello: z.strictObject({}),
  /**
   * From now on a command works on a VN, or without `vn` on the whole slice: requests with the ticket of an earlier claim of the same
   * are refused, whenever they come. `after`: the last ticket that the sender knows of, 0 for none; it is granted if that is the last.
   */
  claim: z.strictObject({
    vn: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)
      .optional(),
    after: z.int().min(0),
  }),
  /**
   * All operations or none, in order. `dryRun` plans and changes nothing. `repair` replaces what exists with other parameters, where
   * otherwise that is a `conflict`. With either of them the answer has the differences. Answered with a token when the node will take back
   * what was done unless `confirm` comes within `confirmWithinMs`.
   */
  apply: z.strictObject({
    operations: z.array(operationSchema).max(maxOperations),
    dryRun: z.boolean().default(false),
    repair: z.boolean().default(false),
    ticket,
    confirmWithinMs: z.int().min(100).max(longestConfirmMs).optional(),
  }),
  /** Shows that the answer to `apply` has arrived: the way to the node is not cut. */
  confirm: z.strictObject({ token: z.uuid() }),
  /** What of this node the slice's subnet would take away. */
  collisions: z.strictObject({}),
  /** Everything on the node that bears the slice's mark. */
  inventory: z.strictObject({}),
  /** The forwarding entries of a router namespace (main table), or of the slice's table. */
  routes: z.strictObject({ namespace: namespaceName.optional() }),
  /** Largest IP packet on the way to each address, by the outgoing interface. */
  path_mtu: z.strictObject({ remotes: z.array(address).max(1024) }),
  /** Makes another nexthop of each group the active one, all by one write; one that is no member takes the group over alone. */
  redirect: z.strictObject({ groups: z.array(redirectionSchema).min(1).max(1024), ticket }),
  /**
   * Holds actions for an exact instant: `at` by this node's clock, turned into monotonic time at once, so that no step of the
   * clock moves it. Answered when they are held; then they are done though the connection is gone, and never early. `dryRun` makes
   * everything ready for that, starts what is not running, and holds nothing: so the next `arm` takes no longer than that.
   */
  arm: z.strictObject({
    id: armedId,
    at: z.number().positive(),
    actions: z.array(armableSchema).min(1).max(maxActions),
    dryRun: z.boolean().optional(),
    ticket,
  }),
  /** Until the first action is begun: nothing of it will be done. */
  cancel: z.strictObject({ id: armedId }),
  /** What became of it; kept for a day. */
  armed_results: z.strictObject({ id: armedId, forget: z.boolean().default(false) }),
  /** How late this node's timer begins actions that do nothing. */
  timer_lag: z.strictObject({ samples: z.int().min(1).max(1000) }),
  /** One exchange of time stamps. */
  clock: z.strictObject({}),
  /** The node's clock against UTC, by the NTP servers named here and by chrony where the node has it. */
  utc: z.strictObject({ ntpServers: z.array(ntpServer).max(maxNtpServers) }),
  /**
   * Receives a stream of numbered UDP packets on an address of the slice; answers the port. One packet goes from there to the
   * same port of `sender`, so that a firewall here which lets in what was asked for takes the stream for an answer.
   * `bufferBytes`: room for packets that wait for the agent, where it may have so much.
   */
  stream_open: z.strictObject({
    stream: streamId,
    address,
    sender: address.optional(),
    bufferBytes: z.int().min(1).max(maxBufferBytes).optional(),
  }),
  /**
   * Sends `count` packets, or without it until stopped or for at most an hour, evenly spaced; it ends with its channel. From the same
   * port as it sends to, if that is free.
   */
  stream_send: z.strictObject({
    stream: streamId,
    from: address,
    to: address,
    port: z.int().min(1).max(65_535),
    payloadBytes: z.int().min(24).max(65_000),
    rateBps: z.number().positive().max(1e11),
    count: z.int().min(1).max(100_000_000).optional(),
  }),
  /** Stops sending and/or reports what this node has sent and received of it; `close` forgets it. */
  stream_stop: z.strictObject({ stream: streamId }),
  stream_report: z.strictObject({ stream: streamId, close: z.boolean().default(false) }),
  /**
   * Whether each address answers a UDP packet (by any reply, or ICMP port unreachable) or an ICMP echo request sent from `from`, in
   * order. With `bytes` the packets have this size, IP header included, and Don't Fragment.
   */
  reach: z.strictObject({
    from: address,
    to: z.array(address).min(1).max(64),
    timeoutMs: z.number().positive().max(60_000),
    bytes: z.int().min(64).max(65_535).optional(),
  }),
  /**
   * The largest IP packet, at most `largest` bytes, that gets from each `from` to its `to` and back with Don't Fragment, in order; from a
   * router namespace where one is named. Found by what is answered, not by what anybody says.
   */
  packet_sizes: z.strictObject({
    probes: z
      .array(z.strictObject({ namespace: namespaceName.optional(), from: address, to: address }))
      .min(1)
      .max(1024),
    smallest: z.int().min(64).max(65_535),
    largest: z.int().min(64).max(65_535),
    timeoutMs: z.number().positive().max(60_000),
  }),
  /**
   * Sends each target one small packet from `from` every `intervalMs`, until stopped or until no one has asked for a minute. A target
   * without `port` is a router's address and answers as for `reach`, but must not limit its answers; with `port` it is another agent's
   * watch, which sends back what it gets; that its port is closed is an answer, too, of the node. Answers the port of `from` where this watch does so. With an id that is known the targets and
   * times are replaced; the port and the counts of targets that stay the same go on, as long as `from` does.
   */
  watch: z.strictObject({
    id: watchId,
    from: address,
    intervalMs: z.number().min(50).max(10_000),
    timeoutMs: z.number().min(10).max(10_000),
    targets: watchTargets,
  }),
  /** What all watches of this agent saw so far. */
  watch_report: z.strictObject({}),
  watch_stop: z.strictObject({ id: watchId }),
  /** What on the node is in the way of VNs, though it is none of the slice's. `port`: of the tunnels. */
  obstacles: z.strictObject({ port: z.int().min(1).max(65_535) }),
  /** Ends the agent; what is installed stays. */
  shutdown: z.strictObject({}),
} as const;

export type Method = keyof typeof requestSchemas;
export type Params<M extends Method> = z.infer<(typeof requestSchemas)[M]>;
/** As a sender writes them. */
export type ParamsInput<M extends Method> = z.input<(typeof requestSchemas)[M]>;

export interface Results {
  /** Without `plane`: an agent of an earlier version, which had the kernel's only. */
  hello: Omit<NodeFacts, 'plane'> & Partial<Pick<NodeFacts, 'plane'>>;
  /** `ticket`: its own, or where it is not granted the last one. */
  claim: { granted: boolean; ticket: number };
  apply: BatchResult;
  confirm: Record<string, never>;
  collisions: { readonly collisions: Collision[]; readonly installed: boolean };
  inventory: Inventory;
  routes: { routes: Route[] };
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
  /** Null where nothing answers, of whatever size, or the node has no program that can ask. */
  packet_sizes: { sizes: (number | null)[] };
  watch: { port: number };
  watch_report: { watches: WatchReport[] };
  watch_stop: Record<string, never>;
  obstacles: { obstacles: Obstacle[] };
  shutdown: Record<string, never>;
}

/** What a batch did, or would do. */
export interface BatchResult {
  readonly results: OperationResult[];
  /** What was not as the operations say; with `dryRun` and `repair` only. */
  readonly differences?: Difference[];
  /** Absent when nothing is to be confirmed. */
  readonly confirm?: Confirmation;
}

export interface Confirmation {
  readonly token: string;
  /** Then the node takes back what was done. */
  readonly withinMs: number;
}

/** Something that is inside the slice's subnet, or holds it, and is not the slice's. */
export interface Collision {
  /** With whose it is: interface, table, policy. */
  readonly what: string;
  /** Name of the slice that it belongs to. */
  readonly slice?: string;
}

/** What became of an armed set of actions; instants by this node's clock as it was when they were armed. */
export interface ArmedResults {
  readonly state: 'armed' | 'fired' | 'failed' | 'missed' | 'cancelled';
  /** In the order given; without `startedAt` an action was not begun. */
  readonly actions: readonly {
    readonly plannedAt: number;
    readonly startedAt?: number;
    readonly finishedAt?: number;
    readonly error?: string;
  }[];
}

export interface NodeFacts {
  /** `digest`: sha256 of the agent's file, in hex. `process`: random, so that two nodes which answer with the same are one machine. */
  readonly agent: { version: string; digest: string; pid: number; startedAt: number; node: string; process?: string };
  readonly policy: Policy;
  /** Whether the policy stands in a file on the node; one that the controller brought does when something is installed. */
  readonly policyFile: boolean;
  /** What carries the slice there: `kernel`. */
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
    | 'tunnel-filter';
  readonly available: boolean;
  readonly detail?: string;
}

export interface Inventory {
  readonly namespaces: readonly string[];
  readonly interfaces: readonly InterfaceState[];
  readonly routes: readonly (Route & { namespace?: string })[];
  readonly nexthops: readonly NexthopState[];
  /** Whether the slice's rules are there. */
  readonly rules: boolean;
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
  /** Source of what a tunnel sends, where it is not left to the kernel. */
  readonly local?: string;
  readonly port?: number;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** The other end of a pair, if it is the slice's too. */
  readonly peer?: { readonly name: string; readonly namespace?: string };
  /** Of a gate: the interface whose gate it is, and whether it holds what comes. */
  readonly gate?: { readonly interface: string; readonly closed: boolean };
}

export interface NexthopState {
  readonly id: number;
  readonly via?: string;
  readonly interface?: string;
  /** Members of a group. */
  readonly group?: readonly number[];
  /** The member that takes the traffic; absent in a group that somebody else led elsewhere. */
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
  /** Different packets received. */
  readonly received: number;
  readonly duplicated: number;
  /** Packets that arrived after one with a higher number (RFC 4737). */
  readonly reordered: number;
  /** Longest time between two arrivals. */
  readonly maxGapMs: number;
  /** Packets that reached this node, but for which its receiving socket had no room. */
  readonly dropped: number;
  /** Arrival minus sending time, by the two nodes' own clocks (may be negative); absent when nothing arrived. */
  readonly delayMs?: { min: number; median: number; p99: number; max: number };
}

export interface WatchReport {
  readonly id: string;
  /** Where it answers other agents' watches. */
  readonly port: number;
  /** In the order given. */
  readonly targets: readonly WatchedTarget[];
}

/**
 * A probe is missed when `timeoutMs` after its sending nothing has come from the target since. Probes that were under way while the
 * agent could not read (stopped, starved) are neither answered nor missed.
 */
export interface WatchedTarget {
  readonly name: string;
  /** Probes, with those that the kernel refused: they will be missed. */
  readonly sent: number;
  /** Probes that had an answer of their own, even after they were overtaken. */
  readonly answered: number;
  /** Probes missed since something came last. */
  readonly missedInRow: number;
  /** Probes answered since one was missed last. */
  readonly answeredInRow: number;
  /**
   * There and back, of the last probe that was answered in time. Of a router, which does not say what it answers, too small where that
   * takes longer than the interval.
   */
  readonly rttMs?: number;
  /** Since something came last; absent when nothing has. */
  readonly sinceAnswerMs?: number;
}
