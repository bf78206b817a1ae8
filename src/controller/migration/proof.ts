/**
 * What a migration must prove: end hosts that reached each other before the migration reach each other after it. A pair
 * that was not proven before (because of a firewall, or a broken router) need not be proven after it.
 */
import { VnmError } from '../../model/errors.ts';
import { routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { RoutingState } from '../../planning/routes.ts';
import type { AccessLink, VnPlan } from '../../planning/vn-plan.ts';
import { walkThrough } from '../../planning/walk.ts';
import type { Baseline, HostPair } from '../../store/migrations.ts';
import { brokenPairs, type PairResult, type VerifyOptions, verifyGateways, verifyVn } from '../probe/verify-vn.ts';
import { baselineOf } from './journal.ts';
import type { Run } from './types.ts';

/** Two end hosts, in the direction of the packets. */
export type Pair = HostPair;

/**
 * Finds how the pairs reach each other over the old instance, before anything is changed. A router whose node is
 * unreachable may still forward, so pairs that need it are tried too, but only briefly: their traffic may be waiting.
 * Sizes are then not tried.
 */
export async function proveBefore(run: OldSide): Promise<Baseline> {
  const { context, agents, vn, old, mtu } = run;
  const dead = routerNames(vn).filter((router) => agents.missing.has(old.instance.placement.get(router)!));
  const isDown = (from: string, to: string) =>
    dead.length > 0 && routersBetween(vn, from, to).some((router) => dead.includes(router));
  const bytes = dead.length === 0 ? mtu : undefined;
  const look = async (brief: boolean) => {
    const isSelected = (from: AccessLink, to: AccessLink) => isDown(from.gateway, to.gateway) === brief;
    return (await verifyVn(agents, run, old.instance, { isSelected, locate: false, bytes, brief, first: true })).pairs;
  };
  const pairs = (await Promise.all([look(false), look(true)])).flat();
  const unproven = pairs.filter(({ reachable }) => !reachable).map(pairOf);
  const byEcho = pairs.filter(({ provenBy }) => provenBy === 'echo').map(pairOf);
  const narrow = bytes === undefined ? undefined : pairs.filter(({ lostBytes }) => lostBytes !== undefined).map(pairOf);
  const note = (which: readonly Pair[] | undefined, what: string) => {
    if (which === undefined || which.length === 0) return;
    context.report({ kind: 'note', text: `${what} before the migration, so not required after it: ${namesOf(which)}` });
  };
  note(unproven, 'did not reach each other');
  note(narrow, `packets of the VN's full size (${mtu} bytes) were lost`);
  return { unproven, byEcho, narrow };
}

/** Finds and records the baseline of a migration that begins again before its redirection. */
export async function recordBaseline(run: Run): Promise<void> {
  run.context.store.migrations.progress(run.id!, { baseline: await proveBefore(run) });
}

export type OldSide = Pick<Run, keyof VnPlan | 'context' | 'agents' | 'old' | 'mtu'>;

/** The pairs of end hosts that do not reach each other over one instance. */
export interface Proof {
  /** Pairs that were not proven before either. */
  readonly excused: PairResult[];
  /** Pairs that reach less than before. */
  readonly failed: PairResult[];
}

/**
 * Proves that the end hosts reach each other as in the baseline. `isSelected`: which pairs of gateways to prove. With
 * `locate`, the result of a failed pair has the place where its packets stop. A pair that was proven by packets before
 * must be proven by packets, and one that carried the VN's full size must carry it.
 */
export async function proveEndHosts(
  run: Pick<Run, keyof VnPlan | 'agents' | 'mtu'>,
  instance: Instance,
  baseline: Baseline,
  {
    isSelected = () => true,
    locate = true,
  }: { isSelected?: (from: string, to: string) => boolean; locate?: boolean } = {},
): Promise<Proof> {
  const isExcused = (one: Pair) => includes(baseline.unproven, one);
  const isNarrow = (one: Pair) => baseline.narrow === undefined || includes(baseline.narrow, one);
  const look = async (isOne: (one: Pair) => boolean, options: Pick<VerifyOptions, 'locate' | 'bytes'>) => {
    const isTried = (from: AccessLink, to: AccessLink) =>
      isSelected(from.gateway, to.gateway) && isOne({ from: from.endHost, to: to.endHost });
    return (await verifyVn(run.agents, run, instance, { ...options, isSelected: isTried, first: true })).pairs;
  };
  const [whole, narrow, excused] = await Promise.all([
    look((one) => !isExcused(one) && !isNarrow(one), { locate, bytes: run.mtu }),
    look((one) => !isExcused(one) && isNarrow(one), { locate }),
    look(isExcused, { locate: false }),
  ]);
  const broken = (pairs: readonly PairResult[]) => pairs.filter(({ reachable }) => !reachable);
  const failed = [...whole, ...narrow].map((pair) => asBefore(pair, baseline));
  return { excused: broken(excused), failed: broken(failed) };
}

/** Returns the result of a pair, as broken if it reaches less than in the baseline. */
export function asBefore(pair: PairResult, { byEcho }: Baseline): PairResult {
  const { to, lostBytes, carriesBytes, provenBy, stopsAt = 'on the way' } = pair;
  if (!pair.reachable) return pair;
  if (lostBytes !== undefined) {
    const most = carriesBytes === undefined ? '' : ` (${carriesBytes} bytes get through)`;
    return { ...pair, reachable: false, stopsAt: `${stopsAt} with packets of ${lostBytes} bytes${most}` };
  }
  if (provenBy !== 'echo' || byEcho === undefined || includes(byEcho, pair)) return pair;
  const why = `before ${to}, which still answers echo requests: probably at a firewall`;
  return { ...pair, reachable: false, stopsAt: why };
}

/**
 * Whether one instance carries packets between the gateways of these pairs where the other does not. Nothing else shows
 * which of the two is broken, since an obstacle at an end host affects both.
 */
export async function isBetter(run: Run, one: Instance, other: Instance, pairs: readonly Pair[]): Promise<boolean> {
  const { agents, vn } = run;
  const isSelected = gatewaysOf(vn, pairs);
  const [ones, others] = await Promise.all([
    verifyGateways(agents, vn, one, isSelected),
    verifyGateways(agents, vn, other, isSelected),
  ]);
  return carriesMore(ones, others);
}

type Reached = Pick<PairResult, 'reachable' | 'provenBy'>;

/** An echo proves more than nothing, and less than packets. */
function rankOf({ reachable, provenBy }: Reached): number {
  if (!reachable) return 0;
  return provenBy === 'echo' ? 1 : 2;
}

/**
 * Whether `ones` carry more than `others`, the same pairs in the same order. A gained pair does not make up for a lost
 * one.
 */
export function carriesMore(ones: readonly Reached[], others: readonly Reached[]): boolean {
  const isMore = (some: readonly Reached[], than: readonly Reached[]) =>
    some.some((one, index) => rankOf(one) > rankOf(than[index]!));
  return isMore(ones, others) && !isMore(others, ones);
}

/** Throws VnmError `failed` if the new instance carries less between two gateways than the old one does. */
export async function proveGateways({ context, agents, vn, old }: Run, fresh: Instance): Promise<void> {
  const pairs = await verifyGateways(agents, vn, fresh);
  const less = pairs.filter(({ reachable, provenBy }) => !reachable || provenBy === 'echo');
  if (less.length === 0) return;
  const before = await verifyGateways(agents, vn, old.instance, (from, to) => includes(less, { from, to }));
  const failed = less
    .filter((pair, index) => rankOf(pair) < rankOf(before[index]!))
    .map((pair) => ({
      ...pair,
      reachable: false,
      stopsAt: pair.stopsAt ?? `at gateway ${pair.to}, which answers only echo requests`,
    }));
  if (failed.length > 0)
    throw new VnmError('failed', `the new instance does not carry traffic from ${brokenPairs(failed)}`);
  const unproven = less.filter(({ reachable }) => !reachable);
  if (unproven.length === 0) return;
  context.report({ kind: 'note', text: `not proven on the new instance, nor on the old one: ${namesOf(unproven)}` });
}

/**
 * Follows the cloned entries between the gateways of every pair of end hosts, which packets between gateways do not
 * use. Throws VnmError `failed` if the new instance would lose packets that the old one carried.
 */
export function proveRoutes({ context, slice, access, id }: Run, fresh: Instance, state: RoutingState): void {
  const record = id === undefined ? undefined : context.store.migrations.find(id);
  const unproven = record === undefined ? [] : baselineOf(record).unproven;
  const deadEnd = walkThrough(fresh, state);
  for (const { endHost: from, gateway } of access) {
    for (const to of access) {
      if (to.gateway === gateway || includes(unproven, { from, to: to.endHost })) continue;
      const end = deadEnd(gateway, { gateway: to.gateway, address: to.hostEnd.address });
      if (end === undefined) continue;
      const place = `router ${end.router} on node '${fresh.placement.get(end.router)}'`;
      const what = `${end.why} to ${to.prefix} at ${place}`;
      throw new VnmError('failed', `the new instance would not carry traffic from ${from} to ${to.endHost}: ${what}`, {
        hint: `run pl-vnm status ${slice.name} --live to compare the nodes with the database`,
      });
    }
  }
}

/** Selects the pairs of gateways between the pairs of end hosts. */
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
