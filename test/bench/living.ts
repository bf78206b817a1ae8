/**
 * VNs with routing daemons migrate under 20,000 packets/s each way, with 10,000 external routes: what traffic loses,
 * and whether an adjacency of the instance that carries it changes before a redirection.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonRoot } from '../../src/agent/daemons/place.ts';
import { routerCommand } from '../../src/agent/inside/router-command.ts';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { migrate } from '../../src/controller/migrate.ts';
import type { DaemonKind } from '../../src/model/daemon.ts';
import { isDaemonRouter } from '../../src/model/router.ts';
import type { Slice } from '../../src/model/slice.ts';
import { ip } from '../support/kernel.ts';
import { gallerySlice, onTestbed, progress, withoutLatency } from './harness.ts';
import { loadHeading, startLoad } from './load.ts';

const options = {
  control: 'gateway',
  schedule: 'optimal',
  granularity: 'gateway',
  urpf: 'feasible',
  traffic: false,
  resumeFirst: true,
} as const;
const externalCount = 10_000;
/** Where the external routes enter the VN. */
const border = 'kansascity';
/** Has no gateway. */
const inner = 'chicago';
/** After this, OSPF has noticed that a link failed. */
const deadMs = 10_000;
const controlMs = 20_000;

/** `count`: migrations, forth and back in turn. */
export async function livingBench(kind: DaemonKind, count = 100): Promise<string> {
  const { moved, rows } = await onTestbed(livingAbilene(kind), (context, slice) =>
    moveUnderLoad(context, slice, kind, count),
  );
  const moveHeading = [
    'daemons',
    'migrations',
    'completed',
    'external routes afterwards',
    'changed adjacencies before redirections',
    'after a link failed (control)',
    'settle: median s',
    'longest s',
    'migration: median s',
  ];
  const loads = rows.map((row) => [kind, ...row]);
  return `${table(moveHeading, [[kind, ...moved]])}\n\n${table(['daemons', 'migrations', ...loadHeading], loads)}`;
}

/** Abilene without latencies, with one kind of daemon, and external routes at one router. */
function livingAbilene(kind: DaemonKind): Slice {
  const slice = withoutLatency(gallerySlice('abilene-ospf'));
  const vn = slice.vns[0]!;
  const routers = vn.routers.filter(isDaemonRouter).map(({ name, config }) => ({
    name,
    kind,
    config: name === border ? { ...config, text: externalRoutes(kind) } : config,
  }));
  return { ...slice, vns: [{ ...vn, routers }] };
}

/** Routes that the router announces, and drops itself. */
function externalRoutes(kind: DaemonKind): string {
  const prefixes = Array.from({ length: externalCount }, (_, index) => `198.18.${index >> 8}.${index & 255}/32`);
  const lines =
    kind === 'bird'
      ? ['protocol static own {', 'ipv4;', ...prefixes.map((prefix) => `route ${prefix} unreachable;`), '}']
      : prefixes.map((prefix) => `ip route ${prefix} blackhole`);
  return `${lines.join('\n')}\n`;
}

async function moveUnderLoad(context: Context, slice: Slice, kind: DaemonKind, count: number) {
  const vn = slice.vns[0]!;
  const id = context.store.testbeds.forSlice(slice.name)!.id;
  await install(context, slice, { placement: 'initial', urpf: 'feasible' });
  const watch = watchAdjacencies(kind);
  watch.carries(foldersOf(id));
  const settleMs: number[] = [];
  const totalMs: number[] = [];
  let before = 0;
  let completed = 0;
  const move = async (to: string) => {
    const old = foldersOf(id);
    const report: Context['report'] = (event) => {
      if (event.kind !== 'phase' || event.text !== 'redirect') return;
      before += watch.changes(old);
      watch.carries(foldersOf(id).filter((folder) => !old.includes(folder)));
    };
    const beganAtMs = performance.now();
    const { outcome, phases, error } = await migrate({ ...context, report }, slice, vn, { ...options, to });
    if (outcome === 'completed') completed += 1;
    else console.error(`a migration to '${to}' ended as ${outcome}: ${error}`);
    settleMs.push(phases.find(({ name }) => name === 'settle')?.ms ?? Number.NaN);
    totalMs.push(performance.now() - beganAtMs);
  };
  const control = await startLoad(context, slice);
  await sleep(controlMs);
  const quiet = await control.finish();
  const load = await startLoad(context, slice);
  for (let index = 0; index < count; index += 1) {
    await move(index % 2 === 0 ? 'final' : 'initial');
    progress(`migrations with ${kind}`, index + 1, count);
  }
  const external = externalAt(id, vn.gateways[0]!.router);
  const moved = await load.finish();
  before += watch.changes(foldersOf(id));
  const afterFailure = await failLink(id, watch);
  const inSeconds = (ms: number) => (ms / 1000).toFixed(1);
  const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
  return {
    moved: [
      count,
      completed,
      external,
      before,
      afterFailure,
      inSeconds(middle(settleMs)),
      inSeconds(Math.max(...settleMs)),
      inSeconds(middle(totalMs)),
    ],
    rows: [...quiet.map((row) => [0, ...row]), ...moved.map((row) => [count, ...row])],
  };
}

/** The folders of a testbed's daemons: one per router of each instance, named as its namespace. */
function foldersOf(testbed: string): string[] {
  return readdirSync(daemonRoot).filter((name) => name.startsWith(`pt${testbed}-`));
}

function namespaceOf(testbed: string, router: string): string {
  return foldersOf(testbed).find((name) => name.endsWith(`-${router}`))!;
}

function externalAt(testbed: string, router: string): number {
  return ip(namespaceOf(testbed, router), 'route')
    .split('\n')
    .filter((line) => /(^| )198\.18\./.test(line)).length;
}

/** Takes down a link of a router without a gateway. Returns the changes: without any, the counter would not work. */
async function failLink(testbed: string, watch: ReturnType<typeof watchAdjacencies>): Promise<number> {
  const namespace = namespaceOf(testbed, inner);
  const links = JSON.parse(ip(namespace, '-json link')) as { ifname: string }[];
  ip(namespace, `link set ${links.find(({ ifname }) => ifname !== 'lo')!.ifname} down`);
  await sleep(deadMs);
  return watch.changes(foldersOf(testbed));
}

/** Counts the changes of adjacencies from when their instance carries traffic. */
function watchAdjacencies(kind: DaemonKind) {
  const counted = new Map<string, Changes>();
  const { begin, read } = counters[kind];
  return {
    /** Since they carry traffic. */
    changes: (folders: readonly string[]) =>
      folders.reduce((sum, folder) => sum + between(counted.get(folder) ?? new Map(), read(folder)), 0),
    /** From now on, these daemons carry the traffic. */
    carries: (folders: readonly string[]) => {
      counted.clear();
      for (const folder of folders) {
        begin(folder);
        counted.set(folder, read(folder));
      }
    },
  };
}

/** Changes of adjacencies, by neighbour. */
type Changes = ReadonlyMap<string, number>;

function between(before: Changes, now: Changes): number {
  return [...new Set([...before.keys(), ...now.keys()])].reduce((sum, neighbour) => {
    const [first, last] = [before.get(neighbour), now.get(neighbour)];
    // FRR forgets a neighbour that is down, and counts from 0 when it is back.
    if (first === undefined || last === undefined) return sum + Math.max(1, last ?? 0);
    return sum + (last >= first ? last - first : Math.max(1, last));
  }, 0);
}

/** `begin`: has a daemon count. `read`: what it has counted. */
const counters: Record<DaemonKind, { begin(folder: string): void; read(folder: string): Changes }> = {
  bird: {
    begin: (folder) => void inRouter(folder, ['birdc', 'debug ospf1 { events }']),
    read: (folder) => {
      const lines = ['log.old', 'log']
        .map((file) => join(daemonRoot, folder, file))
        .filter((file) => existsSync(file))
        .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
        .filter((line) => /Neighbor .* changed state/.test(line));
      return new Map([['all', lines.length]]);
    },
  },
  frr: {
    begin: () => {},
    read: (folder) => {
      const { neighbors } = JSON.parse(inRouter(folder, ['vtysh', '-c', 'show ip ospf neighbor detail json'])) as {
        neighbors: Readonly<Record<string, readonly { stateChangeCounter: number }[]>>;
      };
      return new Map(Object.entries(neighbors).map(([id, [first]]) => [id, first!.stateChangeCounter]));
    },
  },
};

function inRouter(folder: string, words: readonly string[]): string {
  const [program, ...rest] = routerCommand(folder, words) as [string, ...string[]];
  return execFileSync(program, rest, { encoding: 'utf8' });
}
