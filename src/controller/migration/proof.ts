/**
 * What a migration has to prove, and what it can: a pair of end hosts that was not seen to reach each other before the migration
 * (a firewall, a broken router) cannot be the condition for its end.
 */
import { VnmError } from '../../model/errors.ts';
import { routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { RoutingState } from '../../planning/routes.ts';
import type { AccessLink, VnPlan } from '../../planning/vn-plan.ts';
import { walkThrough } from '../../planning/walk.ts';
import type { HostPair, Yardstick } from '../../store/migrations.ts';
import { brokenPairs, type PairResult, type VerifyOptions, verifyGateways, verifyVn } from '../probe/verify-vn.ts';
import { yardstickOf } from './journal.ts';
import type { Run } from './types.ts';

/** Two end hosts, in the direction of the packets. */
export type Pair = HostPair;

/**
 * How the pairs are seen to reach each other over the old instance, before anything is changed. A router whose node is unreachable may still
 * forward, so pairs that need it are looked at, too, but briefly: their traffic may be waiting. Sizes are then not looked at.
 */
export async function lookBefore(run: Looking): Promise<Yardstick> {
  const { context, agents, vn, old, mtu } = run;
  const away = routerNames(vn).filter((router) => agents.missing.has(old.instance.placement.get(router)!));
  const isDown = (from: string, to: string) =>
    away.length > 0 && routersBetween(vn, from, to).some((router) => away.includes(router));
  const bytes = away.length === 0 ? mtu : undefined;
  const look = async (brief: boolean) => {
    const isMeant = (from: AccessLink, to: AccessLink) => isDown(from.gateway, to.gateway) === brief;
    return (await verifyVn(agents, run, old.instance, { isMeant, locate: false, bytes, brief })).pairs;
  };
  const pairs = (await Promise.all([look(false), look(true)])).flat();
  const unproven = pairs.filter(({ reachable }) => !reachable).map(pairOf);
  const byEcho = pairs.filter(({ provenBy }) => provenBy === 'echo').map(pairOf);
  const narrow = bytes === undefined ? undefined : pairs.filter(({ lostBytes }) => lostBytes !== undefined).map(pairOf);
  const note = (which: readonly Pair[] | undefined, what: string) => {
    if (which === undefined || which.length === 0) return;
    context.report({ kind: 'note', text: `${what}, so not a condition afterwards: ${namesOf(which)}` });
  };
  note(unproven, 'not seen to reach each other before');
  note(narrow, `packets of ${mtu} bytes, which the VN has, were lost before`);
  return { unproven, byEcho, narrow };
}

/** For a migration that begins again before its redirection. */
export async function recordYardstick(run: Run): Promise<void> {
  run.context.store.migrations.progress(run.id!, { yardstick: await lookBefore(run) });
}

type Looking = Pick<Run, keyof VnPlan | 'context' | 'agents' | 'old' | 'mtu'>;

/** What was found of the pairs of end hosts over one instance. */
export interface Proof {
  /** Pairs that do not reach each other, and were not seen to before. */
  readonly excused: PairResult[];
  /** Pairs that do not reach each other as before. */
  readonly failed: PairResult[];
}

/**
 * `isMeant`: which pairs of gateways are looked at. With `locate` the result of a pair that has failed says where it stops. A pair that
 * was seen by packets before has to be seen by packets, and one that carried the VN's full size has to carry it.
 */
export async function proveEndHosts(
  run: Pick<Run, keyof VnPlan | 'agents' | 'mtu'>,
  instance: Instance,
  yardstick: Yardstick,
  { isMeant = () => true, locate = true }: { isMeant?: (from: string, to: string) => boolean; locate?: boolean } = {},
): Promise<Proof> {
  const isExcused = (one: Pair) => includes(yardstick.unproven, one);
  const isNarrow = (one: Pair) => yardstick.narrow === undefined || includes(yardstick.narrow, one);
  const look = async (isOne: (one: Pair) => boolean, options: Pick<VerifyOptions, 'locate' | 'bytes'>) => {
    const isLookedAt = (from: AccessLink, to: AccessLink) =>
      isMeant(from.gateway, to.gateway) && isOne({ from: from.endHost, to: to.endHost });
    return (await verifyVn(run.agents, run, instance, { ...options, isMeant: isLookedAt })).pairs;
  };
  const [whole, narrow, excused] = await Promise.all([
    look((one) => !isExcused(one) && !isNarrow(one), { locate, bytes: run.mtu }),
    look((one) => !isExcused(one) && isNarrow(one), { locate }),
    look(isExcused, { locate: false }),
  ]);
  const broken = (pairs: readonly PairResult[]) => pairs.filter(({ reachable }) => !reachable);
  const failed = [...whole, ...narrow].map((pair) => asBefore(pair, yardstick));
  return { excused: broken(excused), failed: broken(failed) };
}

/** A pair that reaches less than before counts as broken. */
export function asBefore(pair: PairResult, { byEcho }: Yardstick): PairResult {
  const { to, lostBytes, carriesBytes, provenBy, stopsAt = 'on the way' } = pair;
  if (!pair.reachable) return pair;
  if (lostBytes !== undefined) {
    const most = carriesBytes === undefined ? '' : ` (${carriesBytes} bytes get through)`;
    return { ...pair, reachable: false, stopsAt: `${stopsAt} with packets of ${lostBytes} bytes${most}` };
  }
  if (provenBy !== 'echo' || byEcho === undefined || includes(byEcho, pair)) return pair;
  const why = `before ${to} receives it, though ${to} answers echo requests: a firewall, most likely`;
  return { ...pair, reachable: false, stopsAt: why };
}

/**
 * Whether one instance carries packets between the gateways of these pairs where the other does not: the only evidence for which of
 * the two is broken, since an obstacle at an end host shows on both.
 */
export async function isBetter(run: Run, one: Instance, other: Instance, pairs: readonly Pair[]): Promise<boolean> {
  const { agents, vn } = run;
  const isMeant = gatewaysOf(vn, pairs);
  const [ones, others] = await Promise.all([
    verifyGateways(agents, vn, one, isMeant),
    verifyGateways(agents, vn, other, isMeant),
  ]);
  return carriesMore(ones, others);
}

type Reached = Pick<PairResult, 'reachable' | 'provenBy'>;

/** An echo is more than nothing, and less than packets. */
function rankOf({ reachable, provenBy }: Reached): number {
  if (!reachable) return 0;
  return provenBy === 'echo' ? 1 : 2;
}

/** `ones` and `others`: the same pairs in the same order. One pair more does not excuse another that is lost. */
export function carriesMore(ones: readonly Reached[], others: readonly Reached[]): boolean {
  const isMore = (some: readonly Reached[], than: readonly Reached[]) =>
    some.some((one, index) => rankOf(one) > rankOf(than[index]!));
  return isMore(ones, others) && !isMore(others, ones);
}

/** Throws VnmError `failed` where the new instance carries less between two gateways than the old one does. */
export async function proveGateways({ context, agents, vn, old }: Run, fresh: Instance): Promise<void> {
  const pairs = await verifyGateways(agents, vn, fresh);
  const less = pairs.filter(({ reachable, provenBy }) => !reachable || provenBy === 'echo');
  if (less.length === 0) return;
  const before = await verifyGateways(agents, vn, old.instance, (from, to) => includes(less, { from, to }));
  const failed = less
    .filter((pair, index) => rankOf(pair) < rankOf(before[index]!))
    .map((pair) => ({ ...pair, reachable: false, stopsAt: pair.stopsAt ?? `at gateway ${pair.to}, by an echo alone` }));
  if (failed.length > 0)
    throw new VnmError('failed', `the new instance does not carry traffic from ${brokenPairs(failed)}`);
  const unproven = less.filter(({ reachable }) => !reachable);
  if (unproven.length === 0) return;
  context.report({ kind: 'note', text: `not proven, on the old instance either: ${namesOf(unproven)}` });
}

/**
 * Follows the cloned entries between the gateways of every pair of end hosts: packets between gateways do not use these. Throws
 * VnmError `failed` where the new instance would lose what the old one carried.
 */
export function proveRoutes({ context, slice, access, id }: Run, fresh: Instance, state: RoutingState): void {
  const record = id === undefined ? undefined : context.store.migrations.find(id);
  const unproven = record === undefined ? [] : yardstickOf(record).unproven;
  const deadEnd = walkThrough(fresh, state);
  for (const { endHost: from, gateway } of access) {
    for (const to of access) {
      if (to.gateway === gateway || includes(unproven, { from, to: to.endHost })) continue;
      const end = deadEnd(gateway, { gateway: to.gateway, address: to.hostEnd.address });
      if (end === undefined) continue;
      const place = `router ${end.router} on node '${fresh.placement.get(end.router)}'`;
      const what = `${end.why} to ${to.prefix} at ${place}`;
      throw new VnmError('failed', `the new instance would not carry traffic from ${from} to ${to.endHost}: ${what}`, {
        hint: `pl-vnm status ${slice.name} --live says what is not as the database says`,
      });
    }
  }
}

/** Which pairs of gateways lie between the pairs of end hosts. */
function gatewaysOf(vn: VirtualNetwork, pairs: readonly Pair[]): (from: string, to: string) => boolean {
  const gatewayBy = new Map(vn.endHosts.map(({ name, gateway }) => [name, gateway]));
  return (from, to) => pairs.some((pair) => gatewayBy.get(pair.from) === from && gatewayBy.get(pair.to) === to);
}

function includes(pairs: readonly Pair[], one: Pair): boolean {
  return pairs.some((pair) => isSame(pair, one));
}

function isSame(one: Pair, other: Pair): boolean {
  return one.from === other.from && one.to === other.to;
}

function pairOf({ from, to }: Pair): Pair {
  return { from, to };
}

export function namesOf(pairs: readonly Pair[]): string {
  return pairs.map(({ from, to }) => `${from} to ${to}`).join(', ');
}
