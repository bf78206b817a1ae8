/** Feasible uRPF loses nothing, measured in 200 migrations under flows and 200 redirections under 20,000 packets/s. */
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { activeInstance, edgeNodes } from '../../src/controller/base/resolve.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { startPhases } from '../../src/controller/migration/phases.ts';
import { acceptBoth, addInstance, clone, join, setUp } from '../../src/controller/migration/prepare.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import { startTraffic } from '../../src/controller/probe/traffic.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { redirectForthAndBack } from './forth-and-back.ts';
import { gallerySlice, onTestbed, progress, withoutLatency } from './harness.ts';
import { loadHeading, startLoad } from './load.ts';

/** How long the load lasts that nothing disturbs. */
const controlMs = 20_000;

/** Runs the six flows of the three-node slice without a pause while the VN moves back and forth. */
export async function migrationsBench(dataplane: Dataplane = 'kernel', count = 200): Promise<string> {
  const body = async (context: Context, slice: Slice) => {
    const vn = slice.vns[0]!;
    await install(context, slice, { placement: 'initial', urpf: 'feasible' });
    const outcomes: string[] = [];
    const flows = await withAgents(context, slice, edgeNodes(vn), async (agents) => {
      const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
      const traffic = await startTraffic(agents, planVn(slice, vn), mtu);
      for (let index = 0; index < count; index += 1) {
        const to = index % 2 === 0 ? 'final' : 'initial';
        const options = {
          to,
          control: 'gateway',
          schedule: 'optimal',
          granularity: 'gateway',
          urpf: 'feasible',
          traffic: false,
        } as const;
        outcomes.push((await migrate(context, slice, vn, options)).outcome);
        progress('migrations', index + 1, count);
      }
      return traffic.finish();
    });
    const rows = flows.map((flow) => [
      `${flow.from} -> ${flow.to}`,
      flow.sent,
      flow.lost,
      flow.duplicated,
      flow.reordered,
      flow.maxGapMs.toFixed(0),
    ]);
    const completed = outcomes.filter((outcome) => outcome === 'completed').length;
    return `${completed} of ${count} migrations completed\n${table(['flow', 'sent', 'lost', 'duplicated', 'reordered', 'longest gap ms'], rows)}`;
  };
  return onTestbed(gallerySlice('three-node'), body, dataplane);
}

/** The number of redirections of each gateway armed at a time, and the time between two of them. */
const armedAhead = 20;
const spacingMs = 200;

/** Runs iperf3 both ways over the two-node slice without latency: undisturbed, and during 200 redirections. */
export async function packetsBench(count = 200): Promise<string> {
  const slice = withoutLatency(gallerySlice('two-node'));
  const rows = await onTestbed(slice, async (context) => {
    await install(context, slice, { placement: 'initial', urpf: 'feasible' });
    return underLoad(context, slice, count);
  });
  return table(['redirections', ...loadHeading], rows);
}

async function underLoad(context: Context, slice: Slice, count: number): Promise<(string | number)[][]> {
  const vn = slice.vns[0]!;
  const to = { name: 'final', placement: vn.placements.get('final')! };
  const old = activeInstance(context.store, slice, vn);
  const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...edgeNodes(vn), ...old.instance.placement.values(), ...to.placement.values()];
  return withAgents(context, slice, nodes, async (agents) => {
    const phases = startPhases(context);
    const both: Run = {
      ...planVn(slice, vn),
      names: agents,
      context,
      agents,
      old,
      to,
      urpf: 'feasible',
      gated: false,
      mtu,
      phases,
    };
    const fresh = addInstance(both);
    await setUp(both, fresh.instance);
    const cloned = await clone(both, fresh.instance);
    await join(both, fresh.instance, cloned);
    await acceptBoth(both, fresh.instance);
    const batches = Math.ceil(count / armedAhead);
    const control = await startLoad(context, slice);
    await sleep(controlMs);
    const quiet = await control.finish();
    const load = await startLoad(context, slice);
    for (let batch = 0; batch < batches; batch += 1) {
      await redirectForthAndBack(both, fresh, armedAhead, spacingMs);
      progress('redirections', (batch + 1) * armedAhead, batches * armedAhead);
    }
    const redirected = await load.finish();
    return [...quiet.map((row) => [0, ...row]), ...redirected.map((row) => [batches * armedAhead, ...row])];
  });
}
