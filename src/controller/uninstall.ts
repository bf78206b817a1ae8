import type { NodeName } from '../model/names.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { routerNodes } from '../planning/instance.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { Context } from './base/context.ts';
import { withLock } from './base/lock.ts';
import { edgeNodes } from './base/resolve.ts';
import { tearDownAccess } from './batches/access.ts';
import { mergeBatches } from './batches/batches.ts';
import { leaveGateways, peerRoutes, removeGroups } from './batches/gateways.ts';
import { tearDownRouters } from './batches/routers.ts';
import { type Agents, applyAll, countChanges, withAgents } from './nodes/agents.ts';

export interface UninstallResult {
  readonly slice: string;
  readonly vns: string[];
  /** How many operations removed something. */
  readonly changed: number;
}

/** Takes down what the database has of a slice, or of one of its VNs, and nothing else. */
export async function uninstall(context: Context, slice: Slice, vnName?: string): Promise<UninstallResult> {
  return withLock(context, { slice: slice.name, vn: vnName, command: 'uninstall' }, (locked) =>
    uninstallLocked(locked, slice, vnName),
  );
}

async function uninstallLocked(context: Context, slice: Slice, vnName?: string): Promise<UninstallResult> {
  const installed = new Set(context.store.instances.list({ slice: slice.name }).map((record) => record.vn));
  const vns = slice.vns.filter((vn) => installed.has(vn.name) && (vnName === undefined || vn.name === vnName));
  if (vns.length === 0) return { slice: slice.name, vns: [], changed: 0 };
  const nodes = vns.flatMap((vn) => [...edgeNodes(vn), ...instanceNodes(context, slice, vn)]);
  context.report({ kind: 'phase', text: `connect to ${new Set(nodes).size} nodes` });
  return withAgents(context, slice, nodes, async (agents) => {
    let changed = 0;
    for (const vn of vns) {
      context.report({ kind: 'phase', text: `uninstall VN '${vn.name}'` });
      changed += await uninstallVn(context, agents, slice, vn);
    }
    return { slice: slice.name, vns: vns.map((vn) => vn.name), changed };
  });
}

/** Takes down one VN with all its instances. Returns how many operations changed something. */
export async function uninstallVn(context: Context, agents: Agents, slice: Slice, vn: VirtualNetwork): Promise<number> {
  const { instances } = context.store;
  const records = instances.list({ slice: slice.name, vn: vn.name });
  const layout = { ...planVn(slice, vn), names: agents };
  const plans = records.map((record) => instances.plan(record.id));
  const others = slice.vns.filter(
    (other) => other.name !== vn.name && instances.list({ slice: slice.name, vn: other.name }).length > 0,
  );
  const stillUsed = new Set(others.flatMap(edgeNodes));
  for (const record of records) instances.setState(record.id, 'removing');
  const batches = mergeBatches(
    peerRoutes(layout, 'delete'),
    removeGroups(layout),
    ...plans.map((plan) => leaveGateways(layout, plan)),
    ...plans.map((plan) => tearDownRouters(layout, plan)),
    tearDownAccess(layout, (node) => !stillUsed.has(node)),
  );
  const changed = countChanges(await applyAll(agents, batches));
  // If the command is killed from here on, the instances are still recorded, so that it can be repeated.
  for (const { id } of context.store.migrations.unfinished(slice.name, vn.name)) {
    context.store.migrations.finish(id, 'failed', Date.now(), 'the VN was uninstalled');
  }
  for (const record of records) instances.remove(record.id);
  instances.setSettings(slice.name, vn.name, undefined);
  context.store.events.add(slice.name, 'uninstalled', `VN '${vn.name}'`);
  return changed;
}

function instanceNodes(context: Context, slice: Slice, vn: VirtualNetwork): NodeName[] {
  return context.store.instances
    .list({ slice: slice.name, vn: vn.name })
    .flatMap((record) => routerNodes(context.store.instances.plan(record.id)));
}
