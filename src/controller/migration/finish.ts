/** Step 6 of a migration (the paper, section III-D), and the way back. Nodes that are away do not stop either. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { UrpfMode } from '../../model/route.ts';
import { type Instance, planAccess } from '../../planning/instance.ts';
import { routersBetween } from '../../planning/paths.ts';
import type { Outcome } from '../../store/migrations.ts';
import { applyAll, applyWhereReachable } from '../agents.ts';
import { desiredBatches } from '../desired.ts';
import { mergeBatches, removeGates, setGroups, setUrpf, tearDownInstance } from '../operations.ts';
import { edgeNodes } from '../resolve.ts';
import { brokenPairs, verifyVn } from '../verify.ts';
import type { Recorded, Run } from './types.ts';

/** Added to the longest old latency before the old instance goes. */
const drainMarginMs = 250;
/** An armed redirection that has begun is waited for so long. */
const armedPatienceMs = 5000;
const armedPollMs = 50;
/** The phase in which no gateway uses the new instance any more. */
const takeAway = 'take the new instance away';

/** The end hosts reach each other over the new instance. From the redirection on no signal stops a migration. */
export async function confirm(run: Run, fresh: Instance): Promise<void> {
  run.phases.begin('verify');
  await verifyEndHosts(run, fresh, 'after the redirection');
}

/** `dead`: routers without which the instance was before; no pair that needs one is asked for. */
async function verifyEndHosts(
  { agents, slice, vn }: Run,
  instance: Instance,
  when: string,
  dead: readonly string[] = [],
): Promise<void> {
  const isMeant = (from: string, to: string) => !routersBetween(vn, from, to).some((router) => dead.includes(router));
  const broken = brokenPairs((await verifyVn(agents, slice, vn, instance, isMeant)).pairs);
  if (broken !== undefined) throw new VnmError('failed', `${when} no packet came from ${broken}`);
}

function requireGateways({ agents, vn }: Run): void {
  const away = vn.gateways.filter(({ node }) => agents.missing.has(node));
  if (away.length === 0) return;
  const names = away.map(({ name, node }) => `gateway ${name} (node '${node}')`).join(', ');
  throw new VnmError('unreachable', `${names} cannot be reached and may send into the new instance, so both stay up`);
}

/** The new instance is the VN now. The old one goes once nothing can be in flight on it (`drainMs` after the redirections). */
export async function retire(run: Run, fresh: Recorded, drainMs: number): Promise<Outcome> {
  const { context, agents, slice, vn, old, urpf, mtu, phases, id } = run;
  const { instances, migrations } = context.store;
  // What was begun before it was interrupted is not gone back on: from `drain` one could still roll back.
  const isBegun = id !== undefined && migrations.find(id)?.state === 'retire';
  if (!isBegun) phases.begin('drain');
  if (instances.active(slice.name, vn.name)?.id !== fresh.record.id) instances.activate(fresh.record.id, old.record.id);
  instances.setSettings(slice.name, vn.name, { mtu, urpf });
  if (!isBegun) await sleep(Math.max(0, drainMs) + drainMarginMs);
  phases.begin('retire');
  const left = await applyWhereReachable(
    agents,
    mergeBatches(
      run.gated ? removeGates(planAccess(slice, vn)) : new Map(),
      setGroups(slice, vn, agents, [fresh.instance], fresh.instance, urpf),
      tearDownInstance(slice, vn, old.instance, agents),
    ),
    agents.givenUp,
  );
  tellOfLeft(run, left);
  instances.remove(old.record.id);
  return 'completed';
}

/**
 * Back to the old instance: what is armed is disarmed, the gateways send into the old instance, then the new one goes, once nothing
 * can be in flight on it (`drainMs`). `urpf` is the mode that was before. While a gateway that may have redirected is away, or the
 * old instance does not carry traffic, both instances stay: `failed`. Where it carried none before, since the node of a router was
 * away, it need not afterwards.
 */
export async function rollBack(
  run: Run,
  fresh: Recorded,
  urpf: UrpfMode,
  options: { readonly redirectionBegun: boolean; readonly drainMs: number },
): Promise<Outcome> {
  const { context, agents, slice, vn, old, phases } = run;
  const { instances, events } = context.store;
  phases.begin(options.redirectionBegun ? 'roll back' : takeAway);
  const access = planAccess(slice, vn);
  try {
    await agents.revive(edgeNodes(vn));
    if (options.redirectionBegun) {
      await disarmAll(run);
      const both = [old.instance, fresh.instance];
      const back = setGroups(slice, vn, agents, both, old.instance, run.urpf);
      await applyWhereReachable(agents, mergeBatches(back, run.gated ? removeGates(access) : new Map()));
      // What is under way on the new instance is still accepted.
      await sleep(options.drainMs + drainMarginMs);
      requireGateways(run);
      await confirmOld(run);
    }
    if (instances.active(slice.name, vn.name)?.id !== old.record.id) instances.activate(old.record.id, fresh.record.id);
    instances.setSettings(slice.name, vn.name, { mtu: run.mtu, urpf });
    if (options.redirectionBegun) phases.begin(takeAway);
    const left = await applyWhereReachable(
      agents,
      mergeBatches(
        run.gated ? removeGates(access) : new Map(),
        setUrpf(vn, old.instance, access, urpf),
        setGroups(slice, vn, agents, [old.instance], old.instance, urpf),
      ),
    );
    await removeFresh(run, fresh, left);
    return 'rolled-back';
  } catch (error) {
    instances.setState(fresh.record.id, 'removing');
    events.add(slice.name, 'rollback-incomplete', messageOf(error));
    context.report({ kind: 'note', text: `the way back is not complete: ${messageOf(error)}` });
    return 'failed';
  }
}

/**
 * The end hosts reach each other over the old instance; where they do not, what somebody has removed or changed of it is put back
 * first: `reconcile` does not while a migration is unfinished, and a migration whose both instances are hurt would stay so for good.
 */
async function confirmOld(run: Run): Promise<void> {
  const dead = deadBefore(run);
  const when = 'back on the old instance';
  try {
    await verifyEndHosts(run, run.old.instance, when, dead);
  } catch (error) {
    if (!(error instanceof VnmError) || error.code !== 'failed') throw error;
    const { context, agents, slice, vn, old, mtu, urpf } = run;
    context.report({ kind: 'note', text: `${messageOf(error)}; the old instance is mended` });
    const instances = [{ instance: old.instance, routes: context.store.instances.routes(old.record.id) }];
    const batches = desiredBatches(slice, { vn, instances, active: old.instance, mtu, urpf }, agents);
    await Promise.all(
      [...batches].map(async ([node, operations]) => {
        if (agents.missing.has(node)) return;
        await agents.get(node).call('apply', { operations, repair: true }, { timeoutMs: 120_000 });
      }),
    );
    await verifyEndHosts(run, old.instance, when, dead);
  }
}

/** Routers of the old instance whose node was away when they should have been cloned. */
function deadBefore({ context, id }: Run): readonly string[] {
  const dead = (id === undefined ? undefined : context.store.migrations.find(id)?.fromRecord) ?? [];
  if (dead.length > 0) {
    const text = `the old instance was without router ${dead.join(', ')} before: pairs that need it are not verified`;
    context.report({ kind: 'note', text });
  }
  return dead;
}

/** Takes the new instance away again, gateways' links first. No gateway may send into it any more. `before`: nodes found away. */
export async function removeFresh(
  { context, agents, slice, vn }: Pick<Run, 'context' | 'agents' | 'slice' | 'vn'>,
  fresh: Recorded,
  before: readonly string[] = [],
): Promise<void> {
  const left = await applyWhereReachable(agents, tearDownInstance(slice, vn, fresh.instance, agents));
  context.store.instances.remove(fresh.record.id);
  tellOfLeft({ context, slice }, [...before, ...left]);
}

/** Every gateway into the new instance, at once: those that are there already stay as they are. */
export async function redirectAll(run: Run, fresh: Instance): Promise<void> {
  const { agents, slice, vn, old, urpf, gated } = run;
  await disarmAll(run);
  await applyAll(
    agents,
    mergeBatches(
      setGroups(slice, vn, agents, [old.instance, fresh], fresh, urpf),
      gated ? removeGates(planAccess(slice, vn)) : new Map(),
    ),
  );
}

/** The edge nodes that are away: without them nobody can say what traffic does. */
export function edgesAway({ agents, vn }: Run): string[] {
  return [...new Set(edgeNodes(vn))].filter((node) => agents.missing.has(node));
}

/** What gateways still hold of this migration is disarmed; what has begun is waited for. */
async function disarmAll({ context, agents, vn, id }: Run): Promise<void> {
  const armedId = id === undefined ? null : (context.store.migrations.find(id)?.armedId ?? null);
  if (armedId === null) return;
  await Promise.all(
    vn.gateways
      .filter(({ node }) => !agents.missing.has(node))
      .map(async ({ node }) => {
        try {
          await agents.get(node).call('cancel', { id: armedId }, { timeoutMs: armedPatienceMs });
          for (const startMs = performance.now(); performance.now() - startMs < armedPatienceMs; ) {
            const { state } = await agents
              .get(node)
              .call('armed_results', { id: armedId }, { timeoutMs: armedPatienceMs });
            if (state !== 'armed') return;
            await sleep(armedPollMs);
          }
        } catch (error) {
          // It holds nothing, or is away now.
          if (!(error instanceof VnmError) || !['not-found', 'unreachable', 'timeout'].includes(error.code))
            throw error;
        }
      }),
  );
}

function tellOfLeft({ context, slice }: Pick<Run, 'context' | 'slice'>, nodes: readonly string[]): void {
  if (nodes.length === 0) return;
  const names = [...new Set(nodes)].join("', '");
  const text = `node '${names}' cannot be reached: what is to go from there stays until pl-vnm reconcile ${slice.name}`;
  context.report({ kind: 'note', text });
  context.store.events.add(slice.name, 'left-over', text);
}
