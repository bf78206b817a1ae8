/** Sends echo requests from one router, gateway or end host of a VN to another. */
import type { Context } from './base/context.ts';
import { type BetweenRequest, type BetweenResult, between } from './inside/between.ts';
import { ping as sendEchoes } from './inside/pinging.ts';

export interface PingRequest extends BetweenRequest {
  readonly count: number;
}

export interface PingResult extends BetweenResult {
  readonly sent: number;
  readonly received: number;
  readonly replies: readonly { readonly sequence: number; readonly ttl: number; readonly rttMs: number }[];
  /** Of the replies; absent without any. */
  readonly rttMs?: { readonly min: number; readonly mean: number; readonly max: number };
  /** What routers on the way, or the kernel where it sent, said. */
  readonly errors: readonly { readonly address: string; readonly reason: string }[];
}

/** How long to wait for the last answer, s. */
const waitS = 2;

/** `show` gets what `ping` prints, as it comes. Throws as `between` and the `ping` of a place. */
export function ping(context: Context, request: PingRequest, show?: (text: string) => void): Promise<PingResult> {
  return between(context, request, async ({ result, source, commands }) => {
    const requests = { to: result.address, from: source, count: request.count, waitS };
    const { sent, received, replies, errors } = await sendEchoes(commands, result.node, requests, show);
    const times = replies.map(({ rttMs }) => rttMs);
    return {
      ...result,
      sent,
      received,
      replies: replies.map(({ sequence, ttl, rttMs }) => ({ sequence, ttl, rttMs })),
      ...(times.length === 0 ? {} : { rttMs: rangeOf(times) }),
      errors,
    };
  });
}

function rangeOf(times: readonly number[]): NonNullable<PingResult['rttMs']> {
  let [min, max, sum] = [Number.POSITIVE_INFINITY, 0, 0];
  for (const time of times) [min, max, sum] = [Math.min(min, time), Math.max(max, time), sum + time];
  return { min, mean: Math.round((1000 * sum) / times.length) / 1000, max };
}
