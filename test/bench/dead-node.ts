/**
 * A router's node dies under traffic, and the VN then migrates to other nodes. Measures the time until the service
 * reports the node down, and until the flows over it arrive again, which is their longest gap.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/output.ts';
import { keepConnections } from '../../src/controller/base/connections.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { openLog } from '../../src/service/log.ts';
import { type ServiceContext, startWatching } from '../../src/service/watching.ts';
import { crosses } from '../chaos/campaign.ts';
import { makePlace, type Place } from '../chaos/place.ts';
import { progress, quantile } from './harness.ts';

/** The time until everything is up, before the fault. */
const settleMs = 6000;
const patienceMs = 30_000;

export async function deadNodeBench(count = 10): Promise<string> {
  const place = await makePlace('three-node', { divideLatenciesBy: 1 });
  const abort = new AbortController();
  const connections = keepConnections();
  const { store } = place;
  const context: ServiceContext = {
    store,
    acceptNewHostKeys: false,
    report: () => {},
    connections,
    signal: abort.signal,
  };
  const down = new Map<string, () => void>();
  const watching = startWatching(context, openLog({ level: 'error' }), {
    healthChanged: ({ kind, name, to }) => {
      if (kind === 'node' && to === 'down') down.get(name)?.();
    },
    repaired: () => {},
  });
  const [downAfterMs, migratedMs, restoredMs]: number[][] = [[], [], []];
  try {
    for (let index = 0; index < count; index += 1) {
      const one = await once(place, context, down);
      downAfterMs!.push(one.downAfterMs);
      migratedMs!.push(one.migratedMs);
      restoredMs!.push(one.restoredMs);
      progress('dead node', index + 1, count);
    }
  } finally {
    abort.abort();
    await watching.ended();
    connections.closeAll();
    await place.remove();
  }
  const seconds = (values: readonly number[], q: number) => (quantile(values, q) / 1000).toFixed(2);
  return table(
    ['from the cut to', 'times', 'median s', 'longest s'],
    (
      [
        ['the node is reported down', downAfterMs],
        ['the migration to other nodes has ended', migratedMs],
        ['the flows over it arrive again', restoredMs],
      ] as const
    ).map(([what, values]) => [what, values!.length, seconds(values!, 0.5), seconds(values!, 1)]),
  );
}

async function once(place: Place, context: ServiceContext, down: Map<string, () => void>) {
  const { store, slice, vn } = place;
  await sleep(settleMs);
  const { id, placementName } = store.instances.active(slice.name, vn.name)!;
  const node = store.instances.plan(id).placement.get('a')!;
  const to = [...vn.placements.keys()].find((name) => name !== placementName)!;
  const times = { downAfterMs: Number.NaN, migratedMs: Number.NaN };
  const flows = await place.underTraffic(async () => {
    await sleep(1000);
    const isDown = new Promise<void>((resolve, reject) => {
      setTimeout(() => reject(new Error(`node '${node}' is not reported down`)), patienceMs).unref();
      down.set(node, resolve);
    });
    const cutAt = performance.now();
    await place.cut(node);
    await isDown;
    times.downAfterMs = performance.now() - cutAt;
    const options = { to, control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false } as const;
    const { outcome, error } = await migrate(context, slice, vn, options);
    if (outcome !== 'completed') throw new Error(`the migration is ${outcome}: ${error}`);
    times.migratedMs = performance.now() - cutAt;
    await sleep(1000);
  });
  await place.heal(node);
  const hurt = flows.filter((flow) => crosses(place, flow, placementName!, node));
  return { ...times, restoredMs: Math.max(...hurt.map(({ maxGapMs }) => maxGapMs)) };
}
