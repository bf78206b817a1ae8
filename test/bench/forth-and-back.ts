/** Redirects all gateways back and forth between two instances, with many redirections armed at a time. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Decision, decide } from '../../src/controller/migration/decide.ts';
import { declaredFlowPaths } from '../../src/controller/migration/flow-paths.ts';
import { redirectionsOf } from '../../src/controller/migration/redirections.ts';
import type { Recorded, Run } from '../../src/controller/migration/types.ts';
import { measureClocks } from '../../src/controller/nodes/clocks.ts';
import { noUncertainty } from '../../src/planning/loss/uncertainty.ts';

/** Instants by the gateway's clock. */
interface Redirected {
  readonly plannedAt: number;
  readonly finishedAt: number;
}

const leadMs = 1500;

/** Arms all rounds before the first is due, which goes into the fresh instance. An even number ends in the old one. */
export async function redirectForthAndBack(
  run: Run,
  fresh: Recorded,
  rounds: number,
  spacingMs: number,
): Promise<Redirected[][]> {
  const { agents, vn, old } = run;
  const { schedule } = await simultaneous(run);
  const clocks = await measureClocks(
    agents,
    vn.gateways.map((gateway) => gateway.node),
  );
  const startAt = agents.clock.wallMs() + leadMs;
  const armed = await Promise.all(
    Array.from({ length: rounds }, async (_, index) => {
      const id = `bench${randomBytes(6).toString('hex')}`;
      const redirections = redirectionsOf(run, (index % 2 === 0 ? fresh : old).instance, schedule);
      await Promise.all(
        redirections.map(({ node, groups }) => {
          const at = startAt + index * spacingMs + clocks.get(node)!.offsetMs;
          return agents.get(node).call('arm', { id, at, actions: [{ kind: 'redirect', offsetMs: 0, groups }] });
        }),
      );
      return { id, nodes: redirections.map(({ node }) => node) };
    }),
  );
  await sleep(startAt + rounds * spacingMs - agents.clock.wallMs());
  return Promise.all(armed.map(({ id, nodes }) => Promise.all(nodes.map((node) => resultOf(run, node, id)))));
}

/** Decides a simultaneous schedule from the slice file's latencies. */
export function simultaneous({ slice, vn, old, to, mtu }: Run): Decision {
  const flows = declaredFlowPaths(slice, vn, old.instance.placement, to.placement, mtu);
  return decide(vn, 'simultaneous', { urpf: 'feasible', granularity: 'gateway' }, flows, noUncertainty);
}

async function resultOf({ agents }: Run, node: string, id: string): Promise<Redirected> {
  const { state, actions } = await agents.get(node).call('armed_results', { id, forget: true });
  const { plannedAt, finishedAt, error } = actions[0]!;
  if (state !== 'fired' || finishedAt === undefined) throw new Error(`${node} is ${state}: ${error}`);
  return { plannedAt, finishedAt };
}
