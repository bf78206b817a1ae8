/** Step 6 of a migration (the paper, section III-D), and the way back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { UrpfMode } from '../../model/route.ts';
import { type Instance, planAccess } from '../../planning/instance.ts';
import type { Outcome } from '../../store/migrations.ts';
import { applyAll } from '../agents.ts';
import { leaveGateways, mergeBatches, removeGates, setGroups, setUrpf, tearDownRouters } from '../operations.ts';
import { verifyVn } from '../verify.ts';
import { removeFresh } from './prepare.ts';
import { advance, type Recorded, type Run } from './types.ts';

/** Added to the longest old latency before the old instance goes. */
const drainMarginMs = 250;

/** The end hosts reach each other over the new instance. */
export async function confirm(run: Run, fresh: Instance): Promise<void> {
  const { agents, slice, vn } = run;
  advance(run, 'verify');
  const { ok, pairs } = await verifyVn(agents, slice, vn, fresh);
  if (ok) return;
  const broken = pairs.filter((pair) => !pair.reachable);
  const list = broken.map(({ from, to, stopsAt }) => `${from} to ${to}: it stops ${stopsAt}`);
  throw new VnmError('failed', `after the redirection no packet came from ${list.join('; ')}`);
}

/** The new instance is the VN now. The old one goes once nothing can be in flight on it (`drainMs` after the redirections). */
export async function retire(run: Run, fresh: Recorded, drainMs: number): Promise<Outcome> {
  const { context, agents, slice, vn, old, urpf, mtu, phases } = run;
  const { instances } = context.store;
  instances.activate(fresh.record.id, old.record.id);
  instances.setSettings(slice.name, vn.name, { mtu, urpf });
  phases.begin('drain');
  await sleep(Math.max(0, drainMs) + drainMarginMs);
  phases.begin('retire');
  await applyAll(
    agents,
    mergeBatches(
      run.gated ? removeGates(planAccess(slice, vn)) : new Map(),
      setGroups(slice, vn, agents, [fresh.instance], fresh.instance, urpf),
      leaveGateways(slice, vn, old.instance),
      tearDownRouters(vn, old.instance, agents),
    ),
  );
  instances.remove(old.record.id);
  return 'completed';
}

/** Back to the old instance: the gateways first, then the new instance goes. `urpf` is the mode that was before. */
export async function rollBack(run: Run, fresh: Recorded, urpf: UrpfMode): Promise<Outcome> {
  const { context, agents, slice, vn, old, phases } = run;
  phases.begin('roll back');
  const access = planAccess(slice, vn);
  try {
    await applyAll(
      agents,
      mergeBatches(
        run.gated ? removeGates(access) : new Map(),
        setUrpf(vn, old.instance, access, urpf),
        setGroups(slice, vn, agents, [old.instance], old.instance, urpf),
      ),
    );
    await removeFresh(run, fresh);
    return 'rolled-back';
  } catch (error) {
    context.store.instances.setState(fresh.record.id, 'removing');
    context.store.events.add(slice.name, 'rollback-incomplete', messageOf(error));
    return 'failed';
  }
}
