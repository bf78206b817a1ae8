/** The data plane of the Linux kernel, driven by `ip`. What it needs to know it reads from the kernel each time. */
import type { Clock } from '../../../clock/clock.ts';
import { VnmError } from '../../../model/errors.ts';
import type { Feature } from '../../../vsys/messages.ts';
import type { Operation } from '../../../vsys/operations.ts';
import type { Policy } from '../../../vsys/policy.ts';
import type { DataPlane } from '../dataplane.ts';
import { differencesOf } from './differences.ts';
import { execute } from './execute.ts';
import { probeFeatures } from './features.ts';
import { toInventory, toRoutes } from './inventory.ts';
import { ownStack } from './ip.ts';
import { pathMtu } from './path-mtu.ts';
import { checkPinned } from './pinned.ts';
import { planOperations } from './plan.ts';
import { prepareActions } from './prepare.ts';
import { readState } from './read-state.ts';
import { redirect } from './redirect.ts';
import { mainTable } from './state.ts';
import { WarmIp } from './warm-ip.ts';

const noNamespaces: ReadonlySet<string> = new Set();

export function createKernelDataPlane(policy: Policy, clock: Clock): DataPlane {
  const warm = new WarmIp();
  let last: Promise<unknown> = Promise.resolve();
  let batches = 0;
  let features: Promise<Feature[]> | undefined;

  /** One after the other, so that none sees or changes what another has half done. */
  function inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = last.then(body);
    last = turn.catch(() => {});
    return turn;
  }

  return {
    apply: (operations, pinned, { dryRun = false, repair = false } = {}) =>
      inTurn(async () => {
        const state = await readState(policy, touchedNamespaces(operations));
        const { results, commands, state: planned } = planOperations(state, operations, policy, repair);
        const applied = dryRun || repair ? { results, differences: differencesOf(state, planned) } : { results };
        if (dryRun) return applied;
        checkPinned(pinned(), state, planned);
        if (commands.length > 0) batches += 1;
        await execute(commands);
        // Where there are groups there will be redirections.
        if (operations.some(({ op }) => op === 'group_up')) warm.start();
        return applied;
      }),
    inventory: () => inTurn(async () => toInventory(await readState(policy, noNamespaces))),
    routes: (namespace = ownStack) =>
      inTurn(async () => {
        const { stacks } = await readState(policy, noNamespaces);
        const stack = stacks.get(namespace);
        if (stack === undefined) throw new VnmError('not-found', `there is no namespace '${namespace}'`);
        const table = namespace === ownStack ? policy.table : mainTable;
        return toRoutes([...stack.routes.values()].filter((route) => route.table === table));
      }),
    pathMtu,
    // Not in turn: it must not wait behind a long batch.
    redirect: (groups) => redirect(warm, clock, groups),
    prepare: (actions, take) => inTurn(async () => take(await prepareActions(warm, actions), batches)),
    features: () => {
      features ??= probeFeatures(policy);
      return features;
    },
    close: () => inTurn(async () => warm.close()),
  };
}

/** Router namespaces that are made, changed or taken away, whose settings therefore matter. */
function touchedNamespaces(operations: readonly Operation[]): Set<string> {
  return new Set(
    operations.flatMap((operation) =>
      operation.op === 'netns_up' || operation.op === 'netns_down' ? [operation.namespace] : [],
    ),
  );
}
