/**
 * Proves with packets that pairs of end hosts, or of gateways, reach each other, and finds where the packets of a
 * broken pair stop.
 */

import { sleep } from '../../clock/sleep.ts';
import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { gatewayLink, type Instance } from '../../planning/instance.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { AccessLink, VnPlan } from '../../planning/vn-plan.ts';
import type { NodeObstacle } from '../../vsys/obstacle.ts';
import type { Agents } from '../nodes/agents.ts';
import { runStream, type StreamEnd } from './streams.ts';
import { sizesAt } from './tunnel-sizes.ts';

export interface PairResult {
  readonly from: string;
  readonly to: string;
  readonly reachable: boolean;
  readonly sent: number;
  readonly received: number;
  /** Test packets were dropped, but the other end host's kernel answers: probably a firewall there. */
  readonly provenBy?: 'echo';
  /** Size of the VN's largest packets, if these do not get through although smaller ones do. */
  readonly lostBytes?: number;
  /** Then the size of the largest packets that do; absent if unknown. */
  readonly carriesBytes?: number;
  /**
   * For a broken pair: the last hop that answered and the first that did not, for its largest packets if only these are
   * lost.
   */
  readonly stopsAt?: string;
}

/** An echo proves less than packets: a firewall may pass it and drop the packets of programs. */
type Evidence = 'packets' | 'echo';

export interface VerifyResult {
  readonly slice: string;
  readonly vn: string;
  readonly ok: boolean;
  readonly pairs: PairResult[];
  /** What obstructs the VN on the nodes of gateways and end hosts; searched only if a pair is broken. */
  readonly obstacles?: readonly NodeObstacle[];
}

const probes = 3;
const probeBytes = 64;
/** Bytes of the IPv4 and UDP headers. */
const headerBytes = 28;
const probeIntervalMs = 10;
/** The interval of packets of full size: a policy limits the total rate of test traffic. */
const largeIntervalMs = 100;
/** Longer than any expected path takes, so that a slow path does not appear broken. */
const quietMs = 1500;
/** How long to wait for packets, and when to send an echo request meanwhile if none has arrived. */
interface Waiting {
  readonly quietMs: number;
  readonly echoAfterMs: number;
}

const patiently: Waiting = { quietMs, echoAfterMs: 600 };
const briefly: Waiting = { quietMs: 600, echoAfterMs: 0 };

/** How many hops a packet passes: Linux sends with this TTL. */
const maxHops = 64;

/** The hint for a failure without a known cause; a command may know more. */
export const unexplained = "check the gateways' redirection and uRPF";

export interface VerifyOptions {
  /** Which pairs of end hosts to verify; by default all. */
  readonly isSelected?: (from: AccessLink, to: AccessLink) => boolean;
  /** Whether to find where the packets of a broken pair stop. */
  readonly locate?: boolean;
  /** If set, packets of this size must get through too. */
  readonly bytes?: number | undefined;
  /** Whether to wait only briefly, for pairs that are probably broken. */
  readonly brief?: boolean;
  /** Whether the first packet that arrives is enough, and proves smaller ones too. Otherwise all are waited for. */
  readonly first?: boolean;
}

export async function verifyVn(
  agents: Agents,
  { slice, vn, access }: VnPlan,
  instance: Instance,
  { isSelected = () => true, locate = true, bytes, brief = false, first = false }: VerifyOptions = {},
): Promise<VerifyResult> {
  const pairs = access
    .flatMap((from) => access.filter((to) => to !== from).map((to) => ({ from, to })))
    .filter(({ from, to }) => isSelected(from, to));
  const results = await Promise.all(
    pairs.map(async ({ from, to }) => {
      const result = await verifyPair(agents, from, to, { bytes, first, waiting: brief ? briefly : patiently });
      if (isWhole(result) || !locate) return result;
      return { ...result, stopsAt: await locateBreak(agents, vn, instance, from, to, result.lostBytes) };
    }),
  );
  return { slice: slice.name, vn: vn.name, ok: results.every(isWhole), pairs: results };
}

function isWhole({ reachable, lostBytes }: PairResult): boolean {
  return reachable && lostBytes === undefined;
}

async function verifyPair(
  agents: Agents,
  from: AccessLink,
  to: AccessLink,
  { bytes, first, waiting }: { bytes: number | undefined; first: boolean; waiting: Waiting },
): Promise<PairResult> {
  const names = { from: from.endHost, to: to.endHost, sent: probes };
  if (first && bytes !== undefined) {
    const received = await probe(agents, from.hostEnd, to.hostEnd, { bytes, waitMs: briefly.quietMs, enough: 1 });
    if (received > 0) return { ...names, received, reachable: true };
  }
  const enough = first ? 1 : probes;
  const { received, provenBy } = await prove(agents, from.hostEnd, to.hostEnd, { waiting, enough });
  const pair = {
    ...names,
    received,
    reachable: provenBy !== undefined,
    ...(provenBy === 'echo' ? { provenBy } : {}),
  };
  // One after the other, since a policy limits the number of streams.
  if (!pair.reachable || bytes === undefined || (await carries(agents, from.hostEnd, to.hostEnd, bytes))) return pair;
  const ends = { from: from.hostEnd.address, to: to.hostEnd.address };
  const [carriesBytes] = await sizesAt(agents, from.hostEnd.node, [ends], bytes);
  // The search tries longer than `carries`.
  if (carriesBytes === bytes) return pair;
  return { ...pair, lostBytes: bytes, ...(carriesBytes == null ? {} : { carriesBytes }) };
}

async function carries(agents: Agents, from: StreamEnd, to: StreamEnd, bytes: number): Promise<boolean> {
  return (await prove(agents, from, to, { bytes })).provenBy !== undefined;
}

/** Sends test packets, and an echo request if none arrives: a firewall at the other node may drop only the packets. */
async function prove(
  agents: Agents,
  from: StreamEnd,
  to: StreamEnd,
  {
    bytes,
    waiting = patiently,
    enough = probes,
  }: { bytes?: number | undefined; waiting?: Waiting; enough?: number } = {},
): Promise<{ received: number; provenBy?: Evidence }> {
  const packets = probe(agents, from, to, { bytes, waitMs: waiting.quietMs, enough });
  const early = await Promise.race([packets, sleep(waiting.echoAfterMs).then(() => 0)]);
  const [received, isAnswered] = await Promise.all([
    packets,
    early === 0 && answers(agents, from, to, bytes, waiting.quietMs),
  ]);
  if (received > 0) return { received, provenBy: 'packets' };
  return isAnswered ? { received, provenBy: 'echo' } : { received };
}

async function answers(
  agents: Agents,
  from: StreamEnd,
  to: StreamEnd,
  bytes: number | undefined,
  timeoutMs: number,
): Promise<boolean> {
  try {
    const asked = { from: from.address, to: [to.address], timeoutMs, bytes };
    return (await agents.get(from.node).call('reach', asked)).answered[0] === true;
  } catch (error) {
    if (isWithoutAddress(error)) return false;
    throw error;
  }
}

/** Describes the broken pairs, each with the place where its packets stop; undefined if none is broken. */
export function brokenPairs(
  pairs: readonly { from: string; to: string; reachable: boolean; stopsAt?: string }[],
): string | undefined {
  const broken = pairs.filter((pair) => !pair.reachable);
  return broken.length === 0
    ? undefined
    : broken.map(({ from, to, stopsAt }) => `${from} to ${to}: packets stop ${stopsAt}`).join('; ');
}

export interface GatewayPair {
  readonly from: string;
  readonly to: string;
  readonly reachable: boolean;
  /** As for pairs of end hosts. */
  readonly provenBy?: 'echo';
  readonly stopsAt?: string;
}

/**
 * Proves that an instance carries packets from each gateway to each other, whether or not traffic uses it yet.
 * `isSelected`: which pairs to verify; by default all.
 */
export async function verifyGateways(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  isSelected: (from: string, to: string) => boolean = () => true,
): Promise<GatewayPair[]> {
  const gateways = vn.gateways.map((gateway) => gateway.name);
  const pairs = gateways.flatMap((from) => gateways.filter((to) => to !== from).map((to) => ({ from, to })));
  return Promise.all(
    pairs
      .filter(({ from, to }) => isSelected(from, to))
      .map(async ({ from, to }) => {
        const source = gatewayLink(instance, from).a;
        const { provenBy } = await prove(agents, source, gatewayLink(instance, to).a, { enough: 1 });
        if (provenBy === 'packets') return { from, to, reachable: true };
        if (provenBy === 'echo') return { from, to, reachable: true, provenBy };
        const stopsAt = await breakOf(agents, `gateway ${from}`, source, hopsBetween(vn, instance, from, to));
        return { from, to, reachable: false, stopsAt: stopsAt ?? `beyond gateway ${to}` };
      }),
  );
}

/** Sends a few packets until `enough` have arrived. Returns how many arrive; 0 if an end has lost its address. */
async function probe(
  agents: Agents,
  from: StreamEnd,
  to: StreamEnd,
  { bytes, waitMs, enough }: { bytes: number | undefined; waitMs: number; enough: number },
): Promise<number> {
  const payloadBytes = bytes === undefined ? probeBytes : bytes - headerBytes;
  const rateBps = (payloadBytes * 8 * 1000) / (bytes === undefined ? probeIntervalMs : largeIntervalMs);
  try {
    const spec = { from, to, payloadBytes, rateBps, count: probes };
    return (await runStream(agents, spec, { quietMs: waitMs, enough })).received;
  } catch (error) {
    if (isWithoutAddress(error) || (bytes !== undefined && isOverLimit(error))) return 0;
    throw error;
  }
}

/** Whether the policy's rate limit is too low for packets of full size. Echo requests do not count towards it. */
function isOverLimit(error: unknown): boolean {
  return error instanceof VnmError && error.code === 'forbidden';
}

/** Whether an agent refused an address that its node does not have. */
function isWithoutAddress(error: unknown): error is VnmError {
  return error instanceof VnmError && error.code === 'not-found';
}

interface Hop {
  readonly name: string;
  readonly address: string;
}

/**
 * Tries leg by leg: from the end host to its gateway, over the routers of the configured path to the other gateway, to
 * the other end host.
 */
async function locateBreak(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  from: AccessLink,
  to: AccessLink,
  bytes: number | undefined,
): Promise<string> {
  const legs: { origin: string; source: StreamEnd; hops: Hop[] }[] = [
    {
      origin: `end host ${from.endHost}`,
      source: from.hostEnd,
      hops: [{ name: `gateway ${from.gateway}`, address: from.gatewayEnd.address }],
    },
    {
      origin: `gateway ${from.gateway}`,
      source: from.gateway === to.gateway ? from.gatewayEnd : gatewayLink(instance, from.gateway).a,
      hops: from.gateway === to.gateway ? [] : hopsBetween(vn, instance, from.gateway, to.gateway),
    },
    {
      origin: `gateway ${to.gateway}`,
      source: to.gatewayEnd,
      hops: [{ name: `end host ${to.endHost}`, address: to.hostEnd.address }],
    },
  ];
  const breaks = await Promise.all(
    legs.map(({ origin, source, hops }) => breakOf(agents, origin, source, hops, bytes)),
  );
  const first = breaks.find((stopsAt) => stopsAt !== undefined);
  if (first !== undefined) return first;
  if (bytes !== undefined) return `every hop carries packets of ${bytes} bytes, but the whole path does not`;
  return `every hop answers, but packets from ${from.endHost} do not reach ${to.endHost}: ${unexplained}`;
}

/** Finds where packets stop on one leg; undefined if all its hops answer. */
async function breakOf(
  agents: Agents,
  origin: string,
  source: StreamEnd,
  hops: readonly Hop[],
  bytes?: number,
): Promise<string | undefined> {
  if (hops.length === 0) return undefined;
  try {
    const to = hops.slice(0, maxHops).map((hop) => hop.address);
    const { answered } = await agents
      .get(source.node)
      .call('reach', { from: source.address, to, timeoutMs: quietMs, bytes });
    const silent = answered.indexOf(false);
    if (silent >= 0) return `between ${hops[silent - 1]?.name ?? origin} and ${hops[silent]!.name}`;
    return hops.length > maxHops
      ? `beyond ${hops[maxHops - 1]!.name}: packets pass at most ${maxHops} hops`
      : undefined;
  } catch (error) {
    if (isWithoutAddress(error)) return `at ${origin}: ${error.message}`;
    throw error;
  }
}

/** The routers on the configured path, each with the address where a packet enters it, and the far gateway. */
function hopsBetween(vn: VirtualNetwork, instance: Instance, from: string, to: string): Hop[] {
  const place = (router: RouterName) => `router ${router} on ${instance.placement.get(router)}`;
  const path = routersBetween(vn, from, to);
  const hops = [{ name: place(path[0]!), address: gatewayLink(instance, from).b.address }];
  path.slice(1).forEach((router, index) => {
    const previous = path[index]!;
    const link = instance.links.find(
      ({ a, b }) => (a.router === previous && b.router === router) || (b.router === previous && a.router === router),
    )!;
    hops.push({ name: place(router), address: link.a.router === router ? link.a.address : link.b.address });
  });
  hops.push({ name: `gateway ${to}`, address: gatewayLink(instance, to).a.address });
  return hops;
}
