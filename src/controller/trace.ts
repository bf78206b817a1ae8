/** Finds the hops of packets from one router, gateway or end host of a VN to another. */
import type { Context } from './base/context.ts';
import { ownersOf } from './inside/addresses.ts';
import { type BetweenRequest, type BetweenResult, between } from './inside/between.ts';
import type { PingReport } from './inside/ping-output.ts';
import { ping } from './inside/pinging.ts';
import type { PlaceKind } from './inside/place.ts';

export interface TraceRequest extends BetweenRequest {
  /** The most hops; by default as many as any path of the VN has. */
  readonly maxHops?: number | undefined;
}

export interface Hop {
  /** From 1. */
  readonly hop: number;
  /** Absent if it is silent. */
  readonly address?: string;
  /** Whose the address is; absent if it is none of the VN's. */
  readonly kind?: PlaceKind;
  readonly name?: string;
  /** Of echo requests to its address, the shortest; absent if it does not answer them. */
  readonly rttMs?: number;
  /** Why packets go no further from there, as the hop says. */
  readonly reason?: string;
}

export interface TraceResult extends BetweenResult {
  readonly reached: boolean;
  readonly hops: readonly Hop[];
}

const attempts = 2;
const waitS = 1;
/** A host sends few ICMP errors per second (`icmp_ratelimit`), but as many echo replies as it is asked for. */
const rttRequests = { count: 3, intervalS: 0.2, waitS } as const;
/** The most routers that a request can pass. */
const mostHops = 255;

/** `show` gets each hop as soon as it is known. Throws as `between` and the `ping` of a place. */
export function trace(
  context: Context,
  request: TraceRequest,
  show: (hop: Hop) => void = () => {},
): Promise<TraceResult> {
  return between(context, request, async ({ result, plan, instance, source, commands }) => {
    const owners = ownersOf(plan, instance);
    // All routers, two gateways and an end host.
    const { maxHops = Math.min(plan.vn.routers.length + 3, mostHops) } = request;
    const send = (options: { to: string; count: number; waitS: number; intervalS?: number; hops?: number }) =>
      ping(commands, result.node, { from: source, ...options });
    const at = async (hop: number): Promise<Hop> => {
      const found = await probe(() => send({ to: result.address, count: 1, waitS, hops: hop }));
      if (found === undefined) return { hop };
      const { address, reason } = found;
      const { replies } = await send({ to: address, ...rttRequests });
      const rttMs = Math.min(...replies.map((reply) => reply.rttMs));
      return {
        hop,
        address,
        ...owners.get(address),
        ...(replies.length === 0 ? {} : { rttMs }),
        ...(reason === undefined ? {} : { reason }),
      };
    };
    const hops: Hop[] = [];
    let isAtEnd = false;
    while (!isAtEnd && hops.length < maxHops) {
      const hop = await at(hops.length + 1);
      hops.push(hop);
      show(hop);
      isAtEnd = hop.address === result.address || hop.reason !== undefined;
    }
    const last = hops.at(-1);
    return { ...result, reached: last?.address === result.address && last.reason === undefined, hops };
  });
}

/** Returns who answered a request that expires on the way; undefined without an answer. */
async function probe(send: () => Promise<PingReport>): Promise<{ address: string; reason?: string } | undefined> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const { replies, errors } = await send();
    const [reply] = replies;
    if (reply !== undefined) return { address: reply.address };
    const [error] = errors;
    if (error !== undefined) {
      const { address, reason } = error;
      return /^time to live exceeded/i.test(reason) ? { address } : { address, reason };
    }
  }
  return undefined;
}
