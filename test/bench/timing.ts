/**
 * Measures how late redirections are: armed at three gateways, commanded over an open channel, and the paper's way, a
 * fresh SSH session per command. Lateness is finished minus planned: lag plus execution time. The skew is the time
 * between the first and the last gateway to finish; since all nodes share one clock here, it includes the errors of the
 * clock estimates. On an idle machine, and with both cores busy.
 */

import { table } from '../../src/cli/output.ts';
import { systemClock } from '../../src/clock/clock.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { activeInstance, edgeNodes } from '../../src/controller/base/resolve.ts';
import { install } from '../../src/controller/install.ts';
import { startPhases } from '../../src/controller/migration/phases.ts';
import { acceptBoth, addInstance, clone, join, setUp } from '../../src/controller/migration/prepare.ts';
import { redirectRemotely } from '../../src/controller/migration/redirect-remote.ts';
import { redirectionsOf } from '../../src/controller/migration/redirections.ts';
import type { Recorded, Run } from '../../src/controller/migration/types.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import { measureClocks } from '../../src/controller/nodes/clocks.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import { leadNexthop } from '../../src/model/ids.ts';
import type { Slice } from '../../src/model/slice.ts';
import { gatewayLink } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import type { TestbedPlaces } from '../../src/store/testbeds.ts';
import { testbedSchema } from '../../src/testbed/record.ts';
import { connectSsh } from '../../src/transport/ssh-session.ts';
import { besideFloor, floorHeading, measureFloor, type Pace } from './floor.ts';
import { redirectForthAndBack, simultaneous } from './forth-and-back.ts';
import { gallerySlice, onTestbed, progress, quantile, whileBusy, withoutLatency } from './harness.ts';

/** The redirections of the gateways for one instant. */
type Round = { readonly lateMs: number; readonly finishedAt: number }[];

/** The number of redirections of each gateway armed at a time, and the time between two of them. */
const armedAhead = 20;
const spacingMs = 47;

export async function timingBench(dataplane: Dataplane = 'kernel', count = 500): Promise<string> {
  const body = async (context: Context, slice: Slice) => {
    const vn = slice.vns[0]!;
    await install(context, slice, { placement: 'initial', urpf: 'feasible' });
    const old = activeInstance(context.store, slice, vn);
    const to = { name: 'final', placement: vn.placements.get('final')! };
    const { mtu } = context.store.instances.settings(slice.name, vn.name)!;
    const nodes = [...edgeNodes(vn), ...old.instance.placement.values(), ...to.placement.values()];
    return withAgents(context, slice, nodes, async (agents) => {
      const phases = startPhases(context);
      const run: Run = {
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
      const fresh = addInstance(run);
      await setUp(run, fresh.instance);
      const cloned = await clone(run, fresh.instance);
      await join(run, fresh.instance, cloned);
      await acceptBoth(run, fresh.instance);
      const rows = [
        ...(await measureAll(run, fresh, count, 'idle')),
        ...(await whileBusy(() => measureAll(run, fresh, count, 'both cores busy'))),
      ];
      return table(
        [
          ...['machine', 'way', 'redirections', 'late: median ms', 'p99 ms', 'skew: median ms', 'p99 ms'],
          ...floorHeading,
          ...floorHeading.map((name) => name.replace('floor', 'one instant')),
        ],
        rows,
      );
    });
  };
  return onTestbed(withoutLatency(gallerySlice('three-node')), body, dataplane);
}

async function measureAll(run: Run, fresh: Recorded, count: number, machine: string): Promise<(string | number)[][]> {
  const ways = [
    { way: 'armed at the gateways', times: Math.ceil(count / armedAhead), measure: armed },
    { way: 'kept channel', times: count, measure: remote },
    // Its commands are the kernel's.
    ...(run.old.instance.nodeTunnel === 'vxlan'
      ? [{ way: 'fresh SSH session', times: Math.ceil(count / 10), measure: freshSession }]
      : []),
  ];
  const rows: (string | number)[][] = [];
  for (const { way, times, measure } of ways) {
    const rounds: Round[] = [];
    for (let index = 0; index < times; index += 1) {
      rounds.push(...(await measure(run, fresh, index)));
      progress(`${machine}, ${way}`, index + 1, times);
    }
    const late = rounds.flat().map(({ lateMs }) => lateMs);
    const skew = rounds.map((round) => Math.max(...finished(round)) - Math.min(...finished(round)));
    const figures = [quantile(late, 0.5), quantile(late, 0.99), quantile(skew, 0.5), quantile(skew, 0.99)];
    const isArmed = way === 'armed at the gateways';
    const [tight, oneInstant] = isArmed
      ? [await floorOf(run, fresh, count, 'tight'), await floorOf(run, fresh, count, 'one instant')]
      : [];
    rows.push([
      machine,
      way,
      rounds.length,
      ...figures.map((figure) => figure.toFixed(3)),
      ...besideFloor(late, tight),
      ...besideFloor(late, oneInstant),
    ]);
  }
  return rows;
}

/** The same redirections of all gateways at once, without agents; undefined on the userspace plane. */
async function floorOf(run: Run, fresh: Recorded, count: number, pace: Pace): Promise<readonly number[] | undefined> {
  if (run.old.instance.nodeTunnel !== 'vxlan') return undefined;
  const { context, slice } = run;
  const { nodes } = testbedSchema.parse(JSON.parse(context.store.testbeds.forSlice(slice.name)!.record!));
  const { schedule } = await simultaneous(run);
  const [there, back] = [fresh, run.old].map(({ instance }) => redirectionsOf(run, instance, schedule));
  const floors = there!.map(({ node, groups }, index) => {
    const { namespace } = nodes.find(({ name }) => name === node)!;
    return measureFloor(`/run/netns/${namespace}`, [groups, back![index]!.groups], count, pace);
  });
  return (await Promise.all(floors)).flat();
}

function finished(round: Round): number[] {
  return round.map(({ finishedAt }) => finishedAt);
}

async function armed(run: Run, fresh: Recorded): Promise<Round[]> {
  const rounds = await redirectForthAndBack(run, fresh, armedAhead, spacingMs);
  return rounds.map((round) =>
    round.map(({ plannedAt, finishedAt }) => ({ lateMs: finishedAt - plannedAt, finishedAt })),
  );
}

async function remote(run: Run, fresh: Recorded, index: number): Promise<Round[]> {
  const to = index % 2 === 0 ? fresh : run.old;
  const clocks = await clocksOf(run);
  const records = await redirectRemotely(run, to, await simultaneous(run), clocks);
  return [records.map(({ plannedAt, finishedAt }) => ({ lateMs: finishedAt - plannedAt, finishedAt }))];
}

/** Opens an SSH session per gateway, which runs `ip` and prints the time; all nodes share one clock here. */
async function freshSession(run: Run, fresh: Recorded, index: number): Promise<Round[]> {
  const { context, slice } = run;
  const to = index % 2 === 0 ? fresh : run.old;
  const places = JSON.parse(context.store.testbeds.forSlice(slice.name)!.record!) as TestbedPlaces;
  const { schedule } = await simultaneous(run);
  const issuedAt = systemClock.wallMs();
  const round = await Promise.all(
    redirectionsOf(run, to.instance, schedule).map(async ({ gateway, node, groups }) => {
      const { host, port, user, key } = places.nodes.find((place) => place.name === node)!;
      const target = { node, host, port, user, keyPath: key, knownHostsPath: places.knownHosts };
      const session = await connectSsh(target, { acceptNewHostKeys: false });
      const { a, b } = gatewayLink(to.instance, gateway);
      const commands = groups.map(
        ({ id }) => `ip nexthop replace id ${leadNexthop(id)} via ${b.address} dev ${a.interface} onlink`,
      );
      const { stdout } = await session.exec([...commands, 'date +%s%N'].join(' && '));
      session.close();
      const finishedAt = Number(String(stdout).trim()) / 1e6;
      return { lateMs: finishedAt - issuedAt, finishedAt };
    }),
  );
  return [round];
}

function clocksOf({ agents, vn }: Run) {
  return measureClocks(
    agents,
    vn.gateways.map((gateway) => gateway.node),
  );
}
