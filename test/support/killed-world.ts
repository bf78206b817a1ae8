/**
 * The real orchestrators over nodes in memory, with a controller that can be killed at the beginning of each phase, at
 * each request to a node, and after it has recorded something. All that is left then are the nodes and the database.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { portState } from '../../src/agent/dataplane/planner/ports.ts';
import type { Context, Progress } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { liveStatus } from '../../src/controller/live.ts';
import { type MigrateOptions, type MigrateResult, migrate } from '../../src/controller/migrate.ts';
import { resume, rollback } from '../../src/controller/recover.ts';
import { verify } from '../../src/controller/verify.ts';
import { imageRouter, programOf } from '../../src/model/router.ts';
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import type { Method } from '../../src/vsys/messages.ts';
import { type MemoryTestbed, memoryTestbed } from './memory-testbed.ts';

export type Command = 'migrate' | 'resume' | 'rollback';

/** The nodes, and the contents of the database when the last controller was killed. */
export interface World {
  readonly slice: Slice;
  readonly testbed: MemoryTestbed;
  readonly database: Buffer;
}

export interface Ran {
  readonly world: World;
  readonly phases: string[];
  /** How many requests to nodes there were from the phase `set up` on. */
  readonly requests: number;
  /** Absent if it was killed. */
  readonly result: MigrateResult | undefined;
}

/**
 * A phase, at whose beginning a command is killed; a request, which a node has done before the answer is lost (`any`:
 * counted from the phase `set up` on); or the end of a router's move, once it is recorded.
 */
type Death = string | { readonly after: Method | 'any' } | { readonly recorded: 'endMove' | 'cancelMove' };

/**
 * What else happens while a command runs. `onPhase`: called when a phase begins, with how often it has begun.
 * `onAnswer`: called when a node has done what a request asks for.
 */
interface Disturbance {
  readonly change?: Partial<MigrateOptions>;
  readonly signal?: AbortSignal;
  readonly onPhase?: (phase: string, count: number) => void;
  readonly onAnswer?: (method: Method) => void;
}

/** Makes worlds from a slice file with one VN, which `migrate` moves as the options say. */
export function killedWorlds(text: string, options: MigrateOptions) {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-killed-'));
  let files = 0;

  /** Returns the VN, installed on placement `initial`. */
  async function installed(): Promise<World> {
    const slice = parseSlice(text, 'small.yaml');
    const testbed = memoryTestbed(slice);
    const path = newFile();
    const store = openStore(path);
    store.slices.save(slice);
    const { connections } = testbed.controller();
    const context: Context = { store, acceptNewHostKeys: false, report: () => {}, connections };
    const known = store.slices.find(slice.name)!;
    await install(context, known, { placement: 'initial', urpf: 'feasible' });
    store.close();
    return { slice: known, testbed, database: contentOf(path) };
  }

  /** Runs a command and kills it when it comes there for the `nth` time; without a death, runs it to its end. */
  async function run(
    { slice, testbed, database }: World,
    command: Command,
    death?: Death,
    nth = 1,
    { change = {}, signal, onPhase = () => {}, onAnswer = () => {} }: Disturbance = {},
  ): Promise<Ran> {
    const path = fileOf(database);
    const real = openStore(path);
    const phases: string[] = [];
    let requests = 0;
    let [left, times]: [Buffer | undefined, number] = [undefined, 0];
    const killed = Promise.withResolvers<void>();
    const comesTo = (isThere: boolean) => {
      times += isThere ? 1 : 0;
      if (left !== undefined || !isThere || times < nth) return;
      kill();
      left = contentOf(path);
      killed.resolve();
    };
    const { connections, kill } = testbed.controller((method) => {
      onAnswer(method);
      if (phases.includes('set up')) requests += 1;
      const after = typeof death === 'object' && 'after' in death ? death.after : undefined;
      comesTo(method === after || (after === 'any' && phases.includes('set up')));
    });
    const recorded =
      <A extends unknown[]>(write: (...args: A) => void) =>
      (...args: A) => {
        write(...args);
        comesTo(true);
      };
    const { instances } = real;
    const record = typeof death === 'object' && 'recorded' in death ? death.recorded : undefined;
    const dying = record === undefined ? {} : { [record]: recorded<never[]>(instances[record]) };
    const store = { ...real, instances: { ...instances, ...dying } };
    const report = ({ kind, text: phase }: Progress) => {
      if (kind !== 'phase') return;
      phases.push(phase);
      onPhase(phase, phases.filter((other) => other === phase).length);
      comesTo(phase === death);
    };
    const interrupted = signal === undefined ? {} : { signal };
    const context: Context = { store, acceptNewHostKeys: false, report, connections, ...interrupted };
    const vn = slice.vns[0]!;
    const commands = {
      migrate: () => migrate(context, slice, vn, { ...options, ...change }),
      resume: () => resume(context, slice, vn),
      rollback: () => rollback(context, slice, vn),
    };
    const result = await Promise.race([commands[command](), killed.promise.then(() => undefined)]);
    const content = left ?? contentOf(path);
    if (left === undefined) store.close();
    return {
      world: { slice, testbed, database: content },
      phases,
      requests,
      result: left === undefined ? result : undefined,
    };
  }

  /** Checks that the VN is wholly on the placement, that the nodes have nothing else, and that packets get through. */
  async function expectWhole({ slice, testbed, database }: World, placement: string): Promise<void> {
    const store = openStore(fileOf(database));
    const { connections } = testbed.controller();
    const context: Context = { store, acceptNewHostKeys: false, report: () => {}, connections };
    const records = store.instances.list({ slice: slice.name });
    expect(records.map(({ placementName, state }) => `${placementName} ${state}`)).toEqual([`${placement} active`]);
    const instance = store.instances.plan(records[0]!.id);
    expect(instance.moving).toBeUndefined();
    expect(instance.placement).toEqual(slice.vns[0]!.placements.get(placement));
    expect(await liveStatus(context, slice)).toMatchObject({ equal: true, differences: [] });
    expect(await verify(context, slice, slice.vns[0]!)).toMatchObject({ ok: true });
    expect(daemonsIn(testbed)).toEqual(daemonsOf(slice, placement));
    expect(machinesIn(testbed)).toEqual(machinesOf(slice, placement));
    store.close();
  }

  async function expectEnd(world: World, command: 'resume' | 'rollback'): Promise<void> {
    const { result, world: after } = await run(world, command);
    expect(result?.outcome).toMatch(command === 'resume' ? /^(completed|unchanged)$/ : /^(rolled-back|unchanged)$/);
    await expectWhole(after, command === 'resume' ? 'final' : 'initial');
  }

  /**
   * Tests these deaths with each of the routers, the first or the second one that moves. `again`: where the recovering
   * command is killed too.
   */
  function describeDeaths(
    deaths: readonly Death[],
    again: Readonly<Record<'resume' | 'rollback', readonly Death[]>>,
    routers: readonly number[] = [1, 2],
  ): void {
    const each = routers.flatMap((nth) => deaths.map((death) => ({ death, nth, where: describeDeath(death) })));
    describe.concurrent.each(each)('a migration killed $where of router $nth', ({ death, nth }) => {
      it.each(['resume', 'rollback'] as const)('%s ends the migration', async (command) => {
        const world = await installed();
        const { world: killed } = await run(world, 'migrate', death, nth);
        await expectEnd(killed, command);
        await world.testbed.end();
      });

      it.each(['resume', 'rollback'] as const)('%s ends the migration, however often it is killed', async (command) => {
        const world = await installed();
        let { world: now } = await run(world, 'migrate', death, nth);
        for (const next of again[command]) {
          const { world: after, result } = await run(now, command, next);
          now = after;
          if (result !== undefined) break;
        }
        await expectEnd(now, command);
        await world.testbed.end();
      });
    });
  }

  function newFile(): string {
    files += 1;
    return join(directory, `${files}.db`);
  }

  /** Makes a database file with these contents. A lock in it belongs to a process that was killed. */
  function fileOf(database: Buffer): string {
    const path = newFile();
    writeFileSync(path, database);
    const db = new Database(path);
    db.exec('delete from locks');
    db.close();
    return path;
  }

  return {
    installed,
    run,
    expectWhole,
    expectEnd,
    describeDeaths,
    remove: () => rmSync(directory, { recursive: true }),
  };
}

function describeDeath(death: Death): string {
  if (typeof death === 'string') return `in '${death}'`;
  return `after '${'after' in death ? death.after : death.recorded}'`;
}

/** The nodes and routers of all routing daemons and switches, and the state of those that do not run. */
function daemonsIn({ network }: MemoryTestbed): string[] {
  return [...new Set(network.values())]
    .flatMap(({ address, state }) =>
      [...(state.daemons ?? [])].map(
        ([namespace, daemon]) =>
          `${address} ${namespace.replace(/^.*-/, '')}${daemon.state === 'running' ? '' : ` ${daemon.state}`}`,
      ),
    )
    .sort();
}

/** Where they must be: each router with a daemon has one, on its node. */
function daemonsOf(slice: Slice, placement: string): string[] {
  const [vn] = slice.vns;
  return [...vn!.placements.get(placement)!]
    .filter(([router]) => vn!.routers.some((one) => one.name === router && programOf(one) !== undefined))
    .map(([router, node]) => `${slice.nodes.get(node)!.host} ${router}`)
    .sort();
}

/** The nodes and routers of all virtual machines, and what is unusual about them. */
function machinesIn({ network }: MemoryTestbed): string[] {
  return [...new Set(network.values())]
    .flatMap(({ address, state }) =>
      [...(state.machines ?? [])].map(([namespace, { machine, state: now }]) => {
        const ports = portState(machine.ports, state.stacks.get(namespace)?.portRules);
        return `${address} ${namespace.replace(/^.*-/, '')} ${now} ${ports}`;
      }),
    )
    .sort();
}

/** Where they must be: each runs on its router's node, with open ports. */
function machinesOf(slice: Slice, placement: string): string[] {
  const [vn] = slice.vns;
  return [...vn!.placements.get(placement)!]
    .filter(([router]) => imageRouter(vn!, router) !== undefined)
    .map(([router, node]) => `${slice.nodes.get(node)!.host} ${router} running open`)
    .sort();
}

/** The contents of the database with everything that was written. */
function contentOf(path: string): Buffer {
  const db = new Database(path, { readonly: true });
  const content = db.serialize();
  db.close();
  return content;
}
