/**
 * The real orchestrators over nodes in memory. A controller is killed at the beginning of each phase. Another one
 * resumes or rolls back, and is itself killed in each of its phases. A third ends the migration: then everything is old
 * or everything is new, and the nodes have nothing else.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import type { Context, Progress } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { liveStatus } from '../../src/controller/live.ts';
import { migrate } from '../../src/controller/migrate.ts';
import { usualOptions } from '../../src/controller/migration/options.ts';
import { resume, rollback } from '../../src/controller/recover.ts';
import { verify } from '../../src/controller/verify.ts';
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import { type MemoryTestbed, memoryTestbed } from '../support/memory-testbed.ts';

const nodes = ['n1', 'n2', 'gw1', 'gw2', 'h1', 'h2'];
const text = `
slice: small
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 1 }
vn:
  name: vn
  routers: [a]
  links: []
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: a } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
  flows: [{ from: e1, to: e2, rate: 1Mbps }]
placements: { initial: { a: n1 }, final: { a: n2 } }
`;

const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-killed-'));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;

type Command = 'migrate' | 'resume' | 'rollback';

/** The nodes, and the contents of the database when the last controller was killed. */
interface World {
  readonly slice: Slice;
  readonly testbed: MemoryTestbed;
  readonly database: Buffer;
}

interface Ran {
  readonly world: World;
  readonly phases: string[];
  /** Absent if it was killed. */
  readonly outcome: string | undefined;
}

async function installed(): Promise<World> {
  const slice = parseSlice(text, 'small.yaml');
  const testbed = memoryTestbed(slice);
  const path = newFile();
  const store = openStore(path);
  store.slices.save(slice);
  const { connections } = testbed.controller();
  const context: Context = { store, acceptNewHostKeys: false, report: () => {}, connections };
  const known = store.slices.find('small')!;
  await install(context, known, { placement: 'initial', urpf: 'feasible' });
  store.close();
  return { slice: known, testbed, database: contentOf(path) };
}

/** Runs a command and kills it when it begins the phase; without a phase, runs it to its end. */
async function run({ slice, testbed, database }: World, command: Command, killedIn?: string): Promise<Ran> {
  const path = fileOf(database);
  const store = openStore(path);
  const { connections, kill } = testbed.controller();
  const phases: string[] = [];
  const killed = Promise.withResolvers<Buffer>();
  const report = ({ kind, text: phase }: Progress) => {
    if (kind !== 'phase') return;
    phases.push(phase);
    if (phase !== killedIn) return;
    kill();
    killed.resolve(contentOf(path));
  };
  const context: Context = { store, acceptNewHostKeys: false, report, connections };
  const vn = slice.vns[0]!;
  const commands = {
    migrate: () => migrate(context, slice, vn, { ...usualOptions, to: 'final' }),
    resume: () => resume(context, slice, vn),
    rollback: () => rollback(context, slice, vn),
  };
  const ended = commands[command]().then((result) => result?.outcome);
  const outcome = await Promise.race([ended, killed.promise.then(() => undefined)]);
  const left = killedIn !== undefined && phases.includes(killedIn) ? await killed.promise : contentOf(path);
  if (outcome !== undefined) store.close();
  return { world: { slice, testbed, database: left }, phases, outcome };
}

/** Checks that only one instance is left, and that packets get through. */
async function expectWhole({ slice, testbed, database }: World, placement: string): Promise<void> {
  const path = fileOf(database);
  const store = openStore(path);
  const { connections } = testbed.controller();
  const context: Context = { store, acceptNewHostKeys: false, report: () => {}, connections };
  expect(store.instances.list({ slice: 'small' }).map(({ placementName }) => placementName)).toEqual([placement]);
  expect(await liveStatus(context, slice)).toMatchObject({ equal: true, differences: [] });
  expect(await verify(context, slice, slice.vns[0]!)).toMatchObject({ ok: true });
  store.close();
}

function newFile(): string {
  files += 1;
  return join(directory, `${files}.db`);
}

/** The contents of the database with everything that was written. */
function contentOf(path: string): Buffer {
  const db = new Database(path, { readonly: true });
  const content = db.serialize();
  db.close();
  return content;
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

it('an undisturbed migration goes through its phases and completes', async () => {
  const world = await installed();
  const { phases, outcome, world: after } = await run(world, 'migrate');
  expect(outcome).toBe('completed');
  expect(phases).toEqual([
    'add nodes',
    'set up',
    'clone',
    'join gateways',
    'prove',
    'measure',
    'redirect',
    'verify',
    'drain',
    'retire',
  ]);
  await expectWhole(after, 'final');
  await world.testbed.end();
});

const phases = ['set up', 'clone', 'join gateways', 'prove', 'measure', 'redirect', 'verify', 'drain', 'retire'];
/** The phases in which the recovering command is killed too: before, during and after the redirection. */
const again = { resume: ['prove', 'redirect', 'retire'], rollback: ['roll back', 'remove the new instance'] };

describe.concurrent.each(phases)("a migration killed in '%s'", (phase) => {
  it.each(['resume', 'rollback'] as const)('%s ends the migration', async (command) => {
    const world = await installed();
    const { world: killed } = await run(world, 'migrate', phase);
    await expectEnd(killed, command, phase);
    await world.testbed.end();
  });

  it.each(['resume', 'rollback'] as const)(
    '%s ends the migration, however often that command is killed',
    async (command) => {
      const world = await installed();
      let { world: now } = await run(world, 'migrate', phase);
      if (command === 'resume' || phase !== 'retire') {
        for (const next of again[command]) {
          const { world: after, outcome } = await run(now, command, next);
          now = after;
          if (outcome !== undefined) break;
        }
      }
      await expectEnd(now, command, phase);
      await world.testbed.end();
    },
  );
});

async function expectEnd(world: World, command: 'resume' | 'rollback', phase: string): Promise<void> {
  if (command === 'rollback' && phase === 'retire') {
    await expect(run(world, command)).rejects.toMatchObject({ code: 'conflict' });
    return;
  }
  const { outcome, world: after } = await run(world, command);
  expect(outcome).toMatch(command === 'resume' ? /^(completed|unchanged)$/ : /^(rolled-back|unchanged)$/);
  await expectWhole(after, command === 'resume' ? 'final' : 'initial');
}
