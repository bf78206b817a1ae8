import { VnmError } from '../model/errors.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { type AccessLink, gatewayLink, type Instance, planAccess } from '../planning/instance.ts';
import { routersBetween } from '../planning/paths.ts';
import { type Agents, withAgents } from './agents.ts';
import type { Context } from './context.ts';
import { activeInstance, edgeNodes } from './resolve.ts';
import { runStream, type StreamEnd } from './streams.ts';

export interface PairResult {
  readonly from: string;
  readonly to: string;
  readonly reachable: boolean;
  readonly sent: number;
  readonly received: number;
  /** For a broken pair: the last place that answered and the first that did not. */
  readonly stopsAt?: string;
}

export interface VerifyResult {
  readonly slice: string;
  readonly vn: string;
  readonly ok: boolean;
  readonly pairs: PairResult[];
}

const probes = 3;
const probeBytes = 64;
const probeIntervalMs = 10;
/** Longer than any path that we expect, so that slow is not taken for broken. */
const quietMs = 1500;

/** Proves with packets that every end host of the VN reaches every other, and says where a broken pair stops. */
export async function verify(context: Context, slice: Slice, vn: VirtualNetwork): Promise<VerifyResult> {
  const { instance } = activeInstance(context.store, slice, vn);
  context.report({ kind: 'phase', text: `verify VN '${vn.name}'` });
  return withAgents(context, slice, edgeNodes(vn), (agents) => verifyVn(agents, slice, vn, instance));
}

/** `isMeant`: which pairs of gateways are looked at, all without it. */
export async function verifyVn(
  agents: Agents,
  slice: Slice,
  vn: VirtualNetwork,
  instance: Instance,
  isMeant: (from: string, to: string) => boolean = () => true,
): Promise<VerifyResult> {
  const access = planAccess(slice, vn);
  const pairs = access
    .flatMap((from) => access.filter((to) => to !== from).map((to) => ({ from, to })))
    .filter(({ from, to }) => isMeant(from.gateway, to.gateway));
  const results = await Promise.all(pairs.map(({ from, to }) => verifyPair(agents, vn, instance, from, to)));
  return { slice: slice.name, vn: vn.name, ok: results.every((pair) => pair.reachable), pairs: results };
}

async function verifyPair(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  from: AccessLink,
  to: AccessLink,
): Promise<PairResult> {
  const received = await probe(agents, from.hostEnd, to.hostEnd);
  const result = { from: from.endHost, to: to.endHost, sent: probes, received, reachable: received > 0 };
  return result.reachable ? result : { ...result, stopsAt: await locateBreak(agents, vn, instance, from, to) };
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

/** Proves that an instance carries packets from each gateway to each other, whether or not traffic uses it yet. */
export async function verifyGateways(
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
): Promise<{ from: string; to: string; reachable: boolean; stopsAt?: string }[]> {
  const gateways = vn.gateways.map((gateway) => gateway.name);
  const pairs = gateways.flatMap((from) => gateways.filter((to) => to !== from).map((to) => ({ from, to })));
  return Promise.all(
    pairs.map(async ({ from, to }) => {
      const source = gatewayLink(instance, from).a;
      if ((await probe(agents, source, gatewayLink(instance, to).a)) > 0) return { from, to, reachable: true };
      const stopsAt = await breakOf(agents, `gateway ${from}`, source, hopsBetween(vn, instance, from, to));
      return { from, to, reachable: false, stopsAt: stopsAt ?? `beyond gateway ${to}` };
    }),
  );
}

/** How many of a few packets arrive; none where an end has lost its address. */
async function probe(agents: Agents, from: StreamEnd, to: StreamEnd): Promise<number> {
  const rateBps = (probeBytes * 8 * 1000) / probeIntervalMs;
  try {
    const spec = { from, to, payloadBytes: probeBytes, rateBps, count: probes };
    return (await runStream(agents, spec, quietMs)).received;
  } catch (error) {
    if (isWithoutAddress(error)) return 0;
    throw error;
  }
}

/** What an agent answers when it shall send from or receive on an address that its node does not have. */
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
  for (const { origin, source, hops } of legs) {
    const stopsAt = await breakOf(agents, origin, source, hops);
    if (stopsAt !== undefined) return stopsAt;
  }
  return `every hop answers, but not ${from.endHost} to ${to.endHost} end to end: look at the gateways' redirection and uRPF`;
}

/** Where one leg stops; undefined when each of its hops answers. */
async function breakOf(
  agents: Agents,
  origin: string,
  source: StreamEnd,
  hops: readonly Hop[],
): Promise<string | undefined> {
  if (hops.length === 0) return undefined;
  try {
    const to = hops.map((hop) => hop.address);
    const { answered } = await agents.get(source.node).call('reach', { from: source.address, to, timeoutMs: quietMs });
    const silent = answered.indexOf(false);
    return silent < 0 ? undefined : `between ${hops[silent - 1]?.name ?? origin} and ${hops[silent]!.name}`;
  } catch (error) {
    if (isWithoutAddress(error)) return `at ${origin}: ${error.message}`;
    throw error;
  }
}

/** The routers on the configured path, each by the address where a packet enters it, and the far gateway. */
function hopsBetween(vn: VirtualNetwork, instance: Instance, from: string, to: string): Hop[] {
  const place = (router: string) => `router ${router} on ${instance.placement.get(router)}`;
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
