/** Waits for the guests of routers that are virtual machines. */
import { VnmError } from '../../model/errors.ts';
import { isImageRouter } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { VnPlan } from '../../planning/vn-plan.ts';
import type { MachineReport } from '../../vsys/machine.ts';
import { type Context, signalOption } from '../base/context.ts';
import { namespaceOf } from '../batches/operations.ts';
import type { Agents } from '../nodes/agents.ts';
import { verifyGateways, verifyVn } from '../probe/verify-vn.ts';
import { patienceMs as routesPatienceMs, shorten, waitUntilEmpty } from './converge.ts';

/** Without hardware support a system with a usual kernel boots in up to a minute. */
const patienceMs = 180_000;

/**
 * Waits until the guest of every machine has answered for its addresses. Throws VnmError `failed` for a machine that
 * does not stay up. Reports a note, and returns, if a guest does not answer in time: its system may not want to.
 */
export async function awaitGuests(
  context: Context,
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
): Promise<void> {
  const places = vn.routers.filter(isImageRouter).flatMap(({ name }) => {
    const node = instance.placement.get(name);
    return node === undefined ? [] : [{ name, node, namespace: namespaceOf(instance, name, agents) }];
  });
  if (places.length === 0) return;
  context.report({ kind: 'phase', text: `wait for the virtual machines of VN '${vn.name}'` });
  const silent = async () => {
    const nodes = [...new Set(places.map(({ node }) => node))];
    const found = await Promise.all(
      nodes.map(async (node) => (await agents.get(node).call('inventory', {}, signalOption(context))).machines ?? []),
    );
    const reports = new Map(found.flat().map((report) => [report.namespace, report]));
    return places.flatMap(({ name, node, namespace }) => {
      const report = reports.get(namespace);
      if (report?.state === 'failed') throw ended(name, node, report);
      return report?.answers === true ? [] : [`router ${name} on ${node} does not answer`];
    });
  };
  const left = await waitUntilEmpty(context, silent, patienceMs, 0);
  if (left.length === 0) return;
  context.report({ kind: 'note', text: `after ${patienceMs / 1000} s: ${left.join('; ')}` });
}

function ended(router: string, node: string, { lastWords = '' }: MachineReport): VnmError {
  return new VnmError(
    'failed',
    `the machine of router '${router}' on node '${node}' ended again and again: ${lastWords}`,
    {
      hint: 'see whether the image boots with this much memory',
    },
  );
}

/**
 * Waits until packets get through between all end hosts, or with `between: 'gateways'` between the gateways over an
 * instance that no traffic uses yet: only guests know their forwarding tables. Reports a note, and returns, if
 * that does not happen in time.
 */
export async function awaitPackets(
  context: Context,
  agents: Agents,
  plan: VnPlan,
  instance: Instance,
  between: 'end hosts' | 'gateways',
): Promise<void> {
  const { vn } = plan;
  context.report({ kind: 'phase', text: `wait for the routes of VN '${vn.name}'` });
  const look = async () => {
    const pairs =
      between === 'gateways'
        ? await verifyGateways(agents, vn, instance)
        : (await verifyVn(agents, plan, instance, { locate: false, first: true, brief: true })).pairs;
    return pairs.filter(({ reachable }) => !reachable).map(({ from, to }) => `${from} does not reach ${to}`);
  };
  const left = await waitUntilEmpty(context, look, routesPatienceMs(vn), 0);
  if (left.length === 0) return;
  const text = `after ${routesPatienceMs(vn) / 1000} s: ${shorten(left)}`;
  context.report({ kind: 'note', text });
}
