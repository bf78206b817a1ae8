/** The data plane of the Linux kernel, driven by `ip`. It reads the kernel's state each time it needs it. */
import type { Clock } from '../../../clock/clock.ts';
import { messageOf, VnmError } from '../../../model/errors.ts';
import { collisionError } from '../../../vsys/collision.ts';
import { defaultConfirmMs } from '../../../vsys/messages.ts';
import type { Operation } from '../../../vsys/operations.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { isInstalled } from '../../../vsys/presence.ts';
import type { Daemons } from '../../daemons/supervisor.ts';
import type { Guests } from '../../guests/guests.ts';
import type { OtherSlice } from '../../other-slices.ts';
import type { DataPlane } from '../dataplane.ts';
import type { Command } from '../planner/commands.ts';
import { differencesOf } from '../planner/differences.ts';
import { toInventory } from '../planner/inventory.ts';
import { checkPinned } from '../planner/pinned.ts';
import { planHeard, planOperations } from '../planner/plan.ts';
import { concernsInterfaces } from '../planner/plan-filter.ts';
import { isEmpty, type KernelState, ownStack } from '../planner/state.ts';
import { refuseForwards } from '../refuse-forwards.ts';
import { findCollisions } from './collisions.ts';
import { readCounters } from './counters.ts';
import { kernelEndpoints } from './endpoints.ts';
import { execute, force, type Programs, undo } from './execute.ts';
import { featureProbes } from './features.ts';
import type { KeptFeatures } from './kept-features.ts';
import { createKnownFeatures } from './known-features.ts';
import { readNodeNetwork } from './node-network.ts';
import { pathMtu } from './path-mtu.ts';
import type { PendingFile } from './pending-file.ts';
import { prepareSteps } from './prepare.ts';
import { readMarks } from './presence.ts';
import { readRoutes, readState } from './read-state.ts';
import { redirect } from './redirect.ts';
import { createUnconfirmed } from './unconfirmed.ts';
import { WarmIp } from './warm-ip.ts';
import { createWatchedTunnels } from './watched-tunnels.ts';

const noNamespaces: ReadonlySet<string> = new Set();

/** The data plane's connections to the rest of the agent. */
export interface Surroundings {
  /** Returns the slices whose policies apply on this node. */
  readonly others: () => Promise<readonly OtherSlice[]>;
  /** Called before the first thing of the slice is installed, and after the last one has gone. */
  readonly installed: (isInstalled: boolean) => Promise<void>;
  readonly pending: PendingFile;
  readonly features: KeptFeatures;
  readonly daemons: Daemons;
  readonly guests: Guests;
  /** Runs `body` while the agent of no other slice on this node runs one. */
  readonly alone: <T>(body: () => Promise<T>) => Promise<T>;
  readonly log: (event: string) => void;
}

export function createKernelDataPlane(policy: Policy, clock: Clock, surroundings: Surroundings): DataPlane {
  const warm = new WarmIp();
  let last: Promise<unknown> = Promise.resolve();
  let batches = 0;
  const features = createKnownFeatures(featureProbes(policy, surroundings.features));
  const { daemons, guests } = surroundings;
  const programs: Programs = { daemon: daemons.put, machine: guests.put };

  async function readAll(settingsOf = noNamespaces, filters = false): Promise<KernelState> {
    return { ...(await readState(policy, settingsOf, filters)), daemons: daemons.known(), machines: guests.known() };
  }

  /** Runs one body after the other, so that none sees or changes what another has half done. */
  function inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = last.then(body);
    last = turn.catch(() => {});
    return turn;
  }

  const logFailure = (error: unknown) => surroundings.log(messageOf(error));
  const unconfirmed = createUnconfirmed(surroundings.pending, (newest) => {
    void inTurn(() => takeBack(newest)).catch(logFailure);
  });
  // Before all requests to this agent.
  void inTurn(daemons.resume).catch(logFailure);
  void inTurn(guests.resume).catch(logFailure);
  void inTurn(takeBackOfEarlier).catch(logFailure);

  /** Undoes a batch that an earlier agent, which was killed, left unconfirmed. */
  async function takeBackOfEarlier(): Promise<void> {
    const steps = surroundings.pending.read();
    if (steps.length > 0) await finishTakeBack(await force(steps, programs));
  }

  const watchedTunnels = createWatchedTunnels(() =>
    inTurn(filterHeard).catch((error: unknown) => {
      surroundings.log(messageOf(error));
      // Without nft nothing is filtered. The first batch that finds nft starts this again.
      return !(error instanceof VnmError && error.code === 'unsupported');
    }),
  );
  // Includes tunnels of an agent that has ended.
  watchedTunnels.begin();

  /**
   * Returns whether there are still watched tunnels. Changes nothing while something is unconfirmed: undoing that would
   * fail.
   */
  async function filterHeard(): Promise<boolean> {
    if (unconfirmed.isOpen()) return true;
    const { commands, state } = planHeard(await readAll(noNamespaces, true), policy);
    await execute(commands);
    return (state.filter?.watched.size ?? 0) > 0;
  }

  async function takeBack(newest?: string): Promise<void> {
    const commands = unconfirmed.takeBack(newest);
    if (commands.length === 0) return;
    await finishTakeBack(await undo(commands, programs));
  }

  async function finishTakeBack(left: readonly string[]): Promise<void> {
    surroundings.pending.write([]);
    batches += 1;
    const words = ['undid changes that were not confirmed in time', ...left.map((message) => `not undone: ${message}`)];
    surroundings.log(words.join('; '));
    if (!isInstalled(policy, await readMarks())) await surroundings.installed(false);
  }

  async function collisions() {
    const others = await surroundings.others();
    const prefixes = others.map((other) => other.policy.namespacePrefix);
    const network = await readNodeNetwork(policy.vnet, prefixes);
    return findCollisions(policy, network, others);
  }

  /**
   * Whether to check for collisions. Only for the slice's first things: an installed slice continues, and can be
   * repaired, whatever has been added to the node since.
   */
  function mayCollide(state: KernelState, planned: KernelState): boolean {
    const isFirst = isEmpty(state) && !isEmpty(planned);
    return isFirst || (state.rules.size === 0 && planned.rules.size > 0);
  }

  /**
   * Runs `change` if there are no collisions. The lock prevents two slices that start at the same time from each
   * finding that the other has nothing here.
   */
  async function withoutCollisions(change: () => Promise<void>): Promise<void> {
    return surroundings.alone(async () => {
      const found = await collisions();
      if (found.length > 0) throw collisionError(policy.slice, policy.vnet, found);
      await change();
    });
  }

  async function carryOut(commands: readonly Command[], state: KernelState, planned: KernelState): Promise<void> {
    if (commands.length > 0) batches += 1;
    const isOpen = mayCut(state, planned) || unconfirmed.isOpen();
    if (isOpen) unconfirmed.expect(commands);
    try {
      if (!isEmpty(planned)) await surroundings.installed(true);
      await execute(commands, programs);
    } catch (error) {
      if (isOpen) unconfirmed.expect([]);
      if (isEmpty(state)) await surroundings.installed(false);
      throw error;
    }
  }

  return {
    kind: 'kernel',
    endpoints: kernelEndpoints,
    apply: (operations, pinned, { dryRun = false, repair = false, confirmWithinMs = defaultConfirmMs } = {}) =>
      inTurn(async () => {
        refuseForwards(operations, 'kernel');
        const filters = operations.some(concernsInterfaces) && (await features.has('tunnel-filter'));
        const state = await readAll(touchedNamespaces(operations), filters);
        const { results, commands, state: planned } = planOperations(state, operations, policy, repair);
        const applied = dryRun || repair ? { results, differences: differencesOf(state, planned) } : { results };
        if (dryRun) return applied;
        checkPinned(pinned(), state, planned);
        const change = () => carryOut(commands, state, planned);
        await (mayCollide(state, planned) ? withoutCollisions(change) : change());
        if (isEmpty(planned)) await surroundings.installed(false);
        if (planned.filter !== undefined && planned.filter.watched.size > 0) watchedTunnels.begin();
        // Groups mean that redirections will follow.
        if (operations.some(({ op }) => op === 'group_up')) warm.start();
        if (planned.rules.size === 0) unconfirmed.drop();
        if (!mayCut(state, planned) && !unconfirmed.isOpen()) return applied;
        return { ...applied, confirm: unconfirmed.note(commands, confirmWithinMs) };
      }),
    confirm: unconfirmed.confirm,
    collisions: () =>
      inTurn(async () => {
        const [found, marks] = await Promise.all([collisions(), readMarks()]);
        return { collisions: found, installed: isInstalled(policy, marks) };
      }),
    counters: () => readCounters(policy),
    inventory: () => inTurn(async () => toInventory(await readAll())),
    routes: (namespace = ownStack, known) =>
      inTurn(async () => {
        const table = await readRoutes(policy, namespace, known);
        if (table === undefined) throw new VnmError('not-found', `there is no namespace '${namespace}'`);
        return table;
      }),
    daemonState: (namespace) => daemons.state(namespace),
    moving: {
      ...daemons.moving,
      dump: (namespace) => inTurn(() => daemons.moving.dump(namespace)),
      restore: (params) => inTurn(() => daemons.moving.restore(params)),
      settle: (params) => inTurn(() => daemons.moving.settle(params)),
    },
    images: guests.images,
    machines: guests.moving,
    neighbourEvents: (namespace) => daemons.neighbourEvents(namespace),
    pathMtu,
    // Not in turn: it must not wait behind a long batch.
    redirect: (groups) => redirect(warm, clock, groups),
    prepare: (armables, take) => inTurn(async () => take(await prepareSteps(warm, armables, daemons.known()), batches)),
    features: features.read,
    close: () =>
      inTurn(async () => {
        watchedTunnels.end();
        await takeBack();
        daemons.close();
        guests.close();
        await warm.close();
      }),
  };
}

/** Whether the node may lose its connection: only the rules send the node's own packets into the slice. */
function mayCut(state: KernelState, planned: KernelState): boolean {
  return [...planned.rules].some((rule) => !state.rules.has(rule));
}

/** Returns the router namespaces that are created, changed or removed, whose settings therefore matter. */
function touchedNamespaces(operations: readonly Operation[]): Set<string> {
  return new Set(
    operations.flatMap((operation) => {
      const { op } = operation;
      if (op === 'netns_up' || op === 'netns_down' || op === 'daemon_up' || op === 'daemon_down')
        return [operation.namespace];
      return [];
    }),
  );
}
