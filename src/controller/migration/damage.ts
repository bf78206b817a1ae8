/** Finds what was removed from the old side: a route that is missing there would also be missing in the clone. */
import { formatPrefix } from '../../model/address.ts';
import { VnmError } from '../../model/errors.ts';
import { routerNames } from '../../model/router.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { objectOf } from '../../vsys/difference.ts';
import type { Context } from '../base/context.ts';
import { recordedVns } from '../batches/desired.ts';
import { namespaceOf } from '../batches/operations.ts';
import type { Agents } from '../nodes/agents.ts';
import { type Comparison, compareNodes, type NodeDifference, recordReconciled } from '../nodes/compare.ts';

interface OldSide {
  readonly context: Context;
  readonly agents: Agents;
  readonly slice: Slice;
  readonly vn: VirtualNetwork;
  readonly old: { readonly instance: Instance };
}

/**
 * Compares the reachable nodes of the old side with the database. Additions and changed parameters are not damage.
 * Throws VnmError `conflict` that names what is missing, or with `repairFirst` makes the old side match the database.
 * `command`: the migration, as the user types it.
 */
export async function refuseDamage(side: OldSide, command: string, repairFirst: boolean): Promise<void> {
  if (repairFirst) return repairDamage(side);
  const damage = await findDamage(side);
  if (damage === undefined) return;
  throw new VnmError('conflict', damage, {
    hint: `run pl-vnm ${command} --repair-first to put it back first, or pl-vnm status ${side.slice.name} --live to see all differences`,
  });
}

/** Puts back what is missing. Works during an unfinished migration too, when `reconcile` refuses. */
export async function repairDamage(side: OldSide): Promise<void> {
  if (!(await reportDamage(side))) return;
  const { context, slice, vn } = side;
  context.report({ kind: 'phase', text: 'repair the old side' });
  const { differences, failed } = await compareOld(side, false);
  const [fault] = failed;
  if (fault !== undefined) throw new VnmError('failed', `node '${fault.node}': ${fault.message}`);
  if (differences.length > 0) recordReconciled(context.store, slice, vn.name, differences);
}

/** Reports what is missing as a note. Returns whether anything is. */
export async function reportDamage(side: OldSide): Promise<boolean> {
  const damage = await findDamage(side);
  if (damage !== undefined) side.context.report({ kind: 'note', text: damage });
  return damage !== undefined;
}

/** Describes what is missing; undefined if nothing is. Reports each node that could not compare. */
async function findDamage(side: OldSide): Promise<string | undefined> {
  const { differences, failed } = await compareOld(side, true);
  for (const { node, message } of failed) {
    const text = `node '${node}' could not be compared with the database, so what is missing there is unknown: ${message}`;
    side.context.report({ kind: 'note', text });
  }
  // End hosts have a route to the whole subnet, for ICMP messages of routers; a VN of an earlier version works without
  // it.
  const subnet = formatPrefix(side.slice.vnet);
  const isForSubnet = ({ kind, name }: NodeDifference) => kind === 'route' && name.split(' ')[0] === subnet;
  const missing = differences.filter((difference) => isMissing(difference) && !isForSubnet(difference));
  return missing.length === 0 ? undefined : `the old side is incomplete: ${describeMissing(side, missing)}`;
}

/** Compares only the old instance, without the new one. */
async function compareOld({ context, agents, slice, vn, old }: OldSide, dryRun: boolean): Promise<Comparison> {
  const meant = recordedVns(context.store, slice)
    .filter((one) => one.vn.name === vn.name)
    .map((one) => ({
      ...one,
      instances: one.instances.filter(({ instance }) => instance.slot === old.instance.slot),
      active: old.instance,
    }));
  const comparison = await compareNodes(context, agents, { meant, dryRun, onlyMeant: dryRun });
  return { ...comparison, differences: comparison.differences.filter(({ additional }) => !additional) };
}

/** Whether something is missing that packets need. Single nexthops differ between versions, so only groups count. */
export function isMissing({ kind, wanted, found }: NodeDifference): boolean {
  if (wanted === null || found !== null) return false;
  if (kind === 'nexthop') return wanted.includes('group');
  return kind === 'namespace' || kind === 'interface' || kind === 'route' || kind === 'rule';
}

/** The most missing things that one message names. */
const maxNamed = 8;

function describeMissing({ agents, vn, old }: OldSide, missing: readonly NodeDifference[]): string {
  const routers = new Map(routerNames(vn).map((router) => [namespaceOf(old.instance, router, agents), router]));
  const names = missing.map((difference) => {
    const router = routers.get(difference.namespace ?? difference.name);
    const { kind, name, node } = difference;
    if (router === undefined) return `node '${node}' has no ${objectOf(difference)}`;
    return kind === 'namespace'
      ? `router ${router} is not on node '${node}'`
      : `router ${router} on node '${node}' has no ${objectOf({ kind, name })}`;
  });
  const more = names.length > maxNamed ? [`and ${names.length - maxNamed} more`] : [];
  return [...names.slice(0, maxNamed), ...more].join('; ');
}
