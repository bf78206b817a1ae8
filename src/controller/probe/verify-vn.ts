/** Proves with packets that pairs of end hosts, or of gateways, reach each other, and says where a broken pair stops. */

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
  /** Test packets were dropped, but the other end host's kernel answers: a firewall there, most likely. */
  readonly provenBy?: 'echo';
  /** Bytes of the VN's largest packets, where these do not get through though smaller ones do. */
  readonly lostBytes?: number;
  /** Then the bytes of the largest that do; absent where it cannot be known. */
  readonly carriesBytes?: number;
  /** For a broken pair: the last place that answered and the first that did not, of its largest packets where only these are lost. */
  readonly stopsAt?: string;
}

/** An echo is less: a firewall may drop the packets of programs and let it through. */
type Evidence = 'packets' | 'echo';

export interface VerifyResult {
  readonly slice: string;
  readonly vn: string;
  readonly ok: boolean;
  readonly pairs: PairResult[];
  /** What is in the way on the nodes of gateways and end hosts; looked for where a pair is broken. */
  readonly obstacles?: readonly NodeObstacle[];
}

const probes = 3;
const probeBytes = 64;
/** Of IPv4 and UDP. */
const headerBytes = 28;
const probeIntervalMs = 10;
/** Of packets of full size: a policy limits the rate of all test traffic together. */
const largeIntervalMs = 100;
/** Longer than any path that we expect, so that slow is not taken for broken. */
const quietMs = 1500;
/** How long packets are waited for, and when the other node's kernel is asked meanwhile, since none has arrived. */
interface Waiting {
  readonly quietMs: number;
  readonly echoAfterMs: number;
}

const patiently: Waiting = { quietMs, echoAfterMs: 600 };
const briefly: Waiting = { quietMs: 600, echoAfterMs: 0 };

/** The hint for a failure without a known cause; a command may know more. */
export const unexplained = "look at the gateways' redirection and uRPF";

export interface VerifyOptions {
  /** Which pairs of end hosts are looked at, all without it. */
  readonly isMeant?: (from: AccessLink, to: AccessLink) => boolean;
  /** Whether it is found out where a broken pair stops. */
  readonly locate?: boolean;
  /** Packets of this size have to get through, too. */
  readonly bytes?: number | undefined;
  /** Pairs that most likely are broken are not waited for as long as for any path that we expect. */
  readonly brief?: boolean;
}

export async function verifyVn(
  agents: Agents,
  { slice, vn, access }: VnPlan,
  instance: Instance,
  { isMeant = () => true, locate = true, bytes, brief = false }: VerifyOptions = {},
): Promise<VerifyResult> {
  const pairs = access
    .flatMap((from) => access.filter((to) => to !== from).map((to) => ({ from, to })))
    .filter(({ from, to }) => isMeant(from, to));
  const results = await Promise.all(
    pairs.map(async ({ from, to }) => {
      const result = await verifyPair(agents, from, to, bytes, brief ? briefly : patiently);
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
  bytes: number | undefined,
  waiting: Waiting,
): Promise<PairResult> {
  const { received, provenBy } = await prove(agents, from.hostEnd, to.hostEnd, undefined, waiting);
  const pair = {
    from: from.endHost,
    to: to.endHost,
    sent: probes,
    received,
    reachable: provenBy !== undefined,
    ...(provenBy === 'echo' ? { provenBy } : {}),
  };
  // One after the other, since a policy limits how many streams there are at once.
  if (!pair.reachable || bytes === undefined || (await carries(agents, from.hostEnd, to.hostEnd, bytes))) return pair;
  const ends = { from: from.hostEnd.address, to: to.hostEnd.address };
  const [carriesBytes] = await sizesAt(agents, from.hostEnd.node, [ends], bytes);
  // The search tries longer.
  if (carriesBytes === bytes) return pair;
  return { ...pair, lostBytes: bytes, ...(carriesBytes == null ? {} : { carriesBytes }) };
}

async function carries(agents: Agents, from: StreamEnd, to: StreamEnd, bytes: number): Promise<boolean> {
  return (await prove(agents, from, to, bytes)).provenBy !== undefined;
}

/** Test packets, and where none arrives what the other node's kernel answers: a firewall there may drop the packets alone. */
async function prove(
  agents: Agents,
  from: StreamEnd,
  to: StreamEnd,
  bytes?: number,
  waiting: Waiting = patiently,
): Promise<{ received: number; provenBy?: Evidence }> {
  const packets = probe(agents, from, to, bytes, waiting.quietMs);
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

/** The broken ones of some pairs, each with the place where it stops; undefined where none is. */
export function brokenPairs(
  pairs: readonly { from: string; to: string; reachable: boolean; stopsAt?: string }[],
): string | undefined {
  const broken = pairs.filter((pair) => !pair.reachable);
  return broken.length === 0
    ? undefined
    : broken.map(({ from, to, stopsAt }) => `${from} to ${to}: it stops ${stopsAt}`).join('; ');
}

export interface GatewayPair {
  readonly from: string;
  readonly to: string;
  readonly reachable: boolean;
  /** As of pairs of end hosts. */
  readonly provenBy?: 'echo';
  readonly stopsAt?: string;
}

/**
 * Proves that an instance carries packets from each gateway to each other, whether or not traffic uses it yet. `isMeant`: which pairs,
 * all without it.
 */
export async function verifyGateways(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  isMeant: (from: string, to: string) => boolean = () => true,
): Promise<GatewayPair[]> {
  const gateways = vn.gateways.map((gateway) => gateway.name);
  const pairs = gateways.flatMap((from) => gateways.filter((to) => to !== from).map((to) => ({ from, to })));
  return Promise.all(
    pairs
      .filter(({ from, to }) => isMeant(from, to))
      .map(async ({ from, to }) => {
        const source = gatewayLink(instance, from).a;
        const { provenBy } = await prove(agents, source, gatewayLink(instance, to).a);
        if (provenBy === 'packets') return { from, to, reachable: true };
        if (provenBy === 'echo') return { from, to, reachable: true, provenBy };
        const stopsAt = await breakOf(agents, `gateway ${from}`, source, hopsBetween(vn, instance, from, to));
        return { from, to, reachable: false, stopsAt: stopsAt ?? `beyond gateway ${to}` };
      }),
  );
}

/** How many of a few packets arrive; none where an end has lost its address. */
async function probe(
  agents: Agents,
  from: StreamEnd,
  to: StreamEnd,
  bytes: number | undefined,
  waitMs: number,
): Promise<number> {
  const payloadBytes = bytes === undefined ? probeBytes : bytes - headerBytes;
  const rateBps = (payloadBytes * 8 * 1000) / (bytes === undefined ? probeIntervalMs : largeIntervalMs);
  try {
    const spec = { from, to, payloadBytes, rateBps, count: probes };
    return (await runStream(agents, spec, waitMs)).received;
  } catch (error) {
    if (isWithoutAddress(error) || (bytes !== undefined && isOverLimit(error))) return 0;
    throw error;
  }
}

/** Packets of full size need more of the rate that a policy allows; the kernel's answers need none of it. */
function isOverLimit(error: unknown): boolean {
  return error instanceof VnmError && error.code === 'forbidden';
}

/** What an agent answers to a request to send from, or receive on, an address that its node does not have. */
function isWithoutAddress(error: unknown): error is VnmError {
  return error instanceof VnmError && error.code === 'not-found';
}

interface Hop {
  readonly name: string;
  readonly address: string;
}

/** Leg by leg: the end host's gateway, the routers on the configured path, the other gateway, the other end host. */
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
  if (bytes !== undefined) return `every hop carries packets of ${bytes} bytes, but not all together`;
  return `every hop answers, but not ${from.endHost} to ${to.endHost} end to end: ${unexplained}`;
}

/** Where one leg stops; undefined when each of its hops answers. */
async function breakOf(
  agents: Agents,
  origin: string,
  source: StreamEnd,
  hops: readonly Hop[],
  bytes?: number,
): Promise<string | undefined> {
  if (hops.length === 0) return undefined;
  try {
    const to = hops.map((hop) => hop.address);
    const { answered } = await agents
      .get(source.node)
      .call('reach', { from: source.address, to, timeoutMs: quietMs, bytes });
    const silent = answered.indexOf(false);
    return silent < 0 ? undefined : `between ${hops[silent - 1]?.name ?? origin} and ${hops[silent]!.name}`;
  } catch (error) {
    if (isWithoutAddress(error)) return `at ${origin}: ${error.message}`;
    throw error;
  }
}

/** The routers on the configured path, each by the address where a packet enters it, and the far gateway. */
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
