/**
 * How late redirections are: armed at three gateways, commanded over a kept channel, and the paper's way, a fresh SSH session
 * per command. Late is finished less planned: lag and execution together. Idle, and with both cores busy.
 */
import { table } from '../../src/cli/output.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { type Agents, withAgents } from '../../src/controller/agents.ts';
import { measureClocks } from '../../src/controller/clocks.ts';
import { declaredFlowPaths } from '../../src/controller/flow-paths.ts';
import { install } from '../../src/controller/install.ts';
import { decide } from '../../src/controller/migration/decide.ts';
import { acceptBoth, addInstance, clone, join, setUp } from '../../src/controller/migration/prepare.ts';
import { redirectArmed } from '../../src/controller/migration/redirect-armed.ts';
import { redirectRemotely } from '../../src/controller/migration/redirect-remote.ts';
import { redirectionsOf } from '../../src/controller/migration/redirections.ts';
import type { Recorded, Run } from '../../src/controller/migration/types.ts';
import { startPhases } from '../../src/controller/phases.ts';
import { activeInstance, edgeNodes } from '../../src/controller/resolve.ts';
import { instanceNexthop } from '../../src/planning/instance.ts';
import { noUncertainty } from '../../src/planning/loss/uncertainty.ts';
import type { RedirectionRecord } from '../../src/store/migrations.ts';
import type { TestbedPlaces } from '../../src/store/testbeds.ts';
import { connectSsh } from '../../src/transport/ssh-session.ts';
import { gallerySlice, onTestbed, progress, quantile, whileBusy, withoutLatency } from './harness.ts';

type Clocks = Awaited<ReturnType<typeof clocksOf>>;

/** How late each gateway of one migration was, ms. */
type Lateness = number[];

export async function timingBench(count = 500): Promise<string> {
  const slice = withoutLatency(gallerySlice('three-node'));
  const vn = slice.vns[0]!;
  return onTestbed(slice, async (context) => {
    await install(context, slice, { placement: 'initial', urpf: 'feasible' });
    const old = activeInstance(context.store, slice, vn);
    const to = { name: 'final', placement: vn.placements.get('final')! };
    const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
    const nodes = [...edgeNodes(vn), ...old.instance.placement.values(), ...to.placement.values()];
    return withAgents(context, slice, nodes, async (agents) => {
      const phases = startPhases(context);
      const run: Run = { context, agents, slice, vn, old, to, urpf: 'feasible', gated: false, mtu, phases };
      const fresh = addInstance(run);
      await setUp(run, fresh.instance);
      await clone(run, fresh.instance);
      await join(run, fresh.instance);
      await acceptBoth(run, fresh.instance);
      const rows = [
        ...(await measureAll(run, fresh, count, 'idle')),
        ...(await whileBusy(() => measureAll(run, fresh, count, 'both cores busy'))),
      ];
      return table(['machine', 'way', 'redirections', 'late: median ms', 'p99 ms', 'skew: median ms', 'p99 ms'], rows);
    });
  });
}

async function measureAll(run: Run, fresh: Recorded, count: number, machine: string): Promise<(string | number)[][]> {
  const ways = [
    { way: 'armed at the gateways', times: count, once: armed },
    { way: 'kept channel', times: count, once: remote },
    { way: 'fresh SSH session', times: Math.ceil(count / 10), once: freshSession },
  ];
  const rows: (string | number)[][] = [];
  for (const { way, times, once } of ways) {
    const lateness: Lateness[] = [];
    const clocks = await clocksOf(run.agents, run);
    for (let index = 0; index < times; index += 1) {
      lateness.push(await once(run, index % 2 === 0 ? fresh : run.old, clocks, fresh));
      progress(`${machine}, ${way}`, index + 1, times);
    }
    const late = lateness.flat();
    const skew = lateness.map((values) => Math.max(...values) - Math.min(...values));
    const figures = [quantile(late, 0.5), quantile(late, 0.99), quantile(skew, 0.5), quantile(skew, 0.99)];
    rows.push([machine, way, late.length, ...figures.map((figure) => figure.toFixed(3))]);
  }
  return rows;
}

async function armed(run: Run, to: Recorded, clocks: Clocks): Promise<Lateness> {
  return latenessOf(await redirectArmed(run, to, await simultaneous(run), clocks));
}

async function remote(run: Run, to: Recorded, clocks: Clocks): Promise<Lateness> {
  return latenessOf(await redirectRemotely(run, to, await simultaneous(run), clocks));
}

/** Each gateway gets its own SSH session with an `ip` command and the time after it; all machines' clocks are one here. */
async function freshSession(run: Run, to: Recorded, _clocks: Clocks, fresh: Recorded): Promise<Lateness> {
  const { context, slice, vn } = run;
  const places = JSON.parse(context.store.testbeds.forSlice(slice.name)!.record!) as TestbedPlaces;
  const { schedule } = await simultaneous(run);
  const issuedAt = systemClock.wallMs();
  return Promise.all(
    redirectionsOf(slice, vn, to.instance, schedule).map(async ({ gateway, node, groups }) => {
      const { host, port, user, key } = places.nodes.find((place) => place.name === node)!;
      const target = { node, host, port, user, keyPath: key, knownHostsPath: places.knownHosts };
      const session = await connectSsh(target, { acceptNewHostKeys: false });
      const other = instanceNexthop(slice, vn, (to === run.old ? fresh : run.old).instance.slot, gateway);
      const commands = groups.map(
        ({ id, active }) => `ip nexthop replace id ${id} group ${active},255/${other},1 type resilient`,
      );
      const { stdout } = await session.exec([...commands, 'date +%s%N'].join(' && '));
      session.close();
      return Number(String(stdout).trim()) / 1e6 - issuedAt;
    }),
  );
}

async function simultaneous({ slice, vn, old, to, mtu }: Run) {
  const flows = declaredFlowPaths(slice, vn, old.instance.placement, to.placement, mtu);
  return decide(vn, 'simultaneous', { urpf: 'feasible', granularity: 'gateway' }, flows, noUncertainty);
}

function clocksOf(agents: Agents, { vn }: Run) {
  return measureClocks(
    agents,
    vn.gateways.map((gateway) => gateway.node),
  );
}

function latenessOf(records: readonly RedirectionRecord[]): Lateness {
  return records.map((record) => record.finishedAt - record.plannedAt);
}
