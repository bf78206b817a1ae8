/** The demo's migration by itself: how long each phase takes, without other traffic and with all flows of the VN. */
import { table } from '../../src/cli/output.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { gallerySlice, onTestbed, progress, quantile } from './harness.ts';

const options = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', urpf: 'feasible' } as const;
/** Packets that are under way pass meanwhile; users do not wait for it. */
const drain = 'drain';

/** `count`: migrations of each kind, forth and back in turn, after a first one, which is left out. */
export async function phasesBench(count = 20): Promise<string> {
  return onTestbed(gallerySlice('three-node'), async (context, slice) => {
    const vn = slice.vns[0]!;
    await install(context, slice, { placement: 'initial', urpf: 'feasible' });
    const columns: Map<string, number[]>[] = [];
    let lost = 0;
    let isForth = true;
    for (const traffic of [false, true]) {
      const ms = new Map<string, number[]>();
      columns.push(ms);
      for (let index = 0; index <= count; index += 1) {
        const to = isForth ? 'final' : 'initial';
        isForth = !isForth;
        const startMs = performance.now();
        const { outcome, phases, flows } = await migrate(context, slice, vn, { ...options, to, traffic });
        const totalMs = performance.now() - startMs;
        if (outcome !== 'completed') throw new Error(`a migration to '${to}' ended as ${outcome}`);
        lost += flows.reduce((sum, flow) => sum + flow.lost, 0);
        progress(traffic ? 'migrations with traffic' : 'migrations', index, count);
        if (index === 0) continue;
        const drainMs = phases.find(({ name }) => name === drain)?.ms ?? 0;
        const all = [...phases.map(({ name, ms }) => [name, ms] as const), ['total', totalMs] as const];
        for (const [name, value] of [...all, ['total without drain', totalMs - drainMs] as const]) {
          ms.set(name, [...(ms.get(name) ?? []), value]);
        }
      }
    }
    const names = [...columns[1]!.keys()];
    const cells = (ms: Map<string, number[]>, name: string) => {
      const values = ms.get(name);
      return values === undefined ? ['', ''] : [quantile(values, 0.5).toFixed(0), quantile(values, 0.95).toFixed(0)];
    };
    const rows = names.map((name) => [name, ...columns.flatMap((ms) => cells(ms, name))]);
    const heading = ['phase', 'median ms', 'p95 ms', 'with traffic: median ms', 'p95 ms'];
    return `${table(heading, rows)}\n\n${count} migrations of each kind; ${lost} packets lost`;
  });
}
