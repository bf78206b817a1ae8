/** The local testbeds that the database records. */
import { randomInt } from 'node:crypto';
import { rm, rmdir } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { hasRoomForSocket } from '../agent/paths.ts';
import type { Dataplane } from '../model/dataplane.ts';
import { VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import type { Store } from '../store/store.ts';
import type { TestbedRow } from '../store/testbeds.ts';
import { isPlainPath } from '../transport/node-survey.ts';
import { testbedDown } from './down.ts';
import { nodeDirectory } from './layout.ts';
import type { DirectedLink, Impairment } from './links/properties.ts';
import { readChangedLinks } from './links/record.ts';
import { type ServerKind, type Testbed, testbedSchema } from './record.ts';
import { type TestbedStatus, testbedStatus } from './status.ts';
import { testbedUp } from './up.ts';

export interface BringUpOptions {
  readonly server: ServerKind;
  /** The kernel's if left out. */
  readonly dataplane?: Dataplane;
  readonly impairment?: Impairment | undefined;
  readonly onProgress: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Places the slices' nodes on this machine and records where. The slices share one testbed: nodes of the same name are
 * one node. Repeating it changes nothing. Errors as `testbedUp`.
 */
export async function bringUp(store: Store, slices: readonly Slice[], options: BringUpOptions): Promise<Testbed> {
  for (const slice of slices) store.slices.save(slice);
  const names = slices.map((slice) => slice.name);
  const recorded = recordedFor(store, slices);
  const { id, directory } = recorded ?? newTestbed(store, slices);
  try {
    const testbed = await testbedUp(slices, { id, directory, ...options });
    // A partly dead testbed was made again, with nothing on it.
    if (recorded !== undefined && !isRecorded(recorded, testbed)) forgetInstalled(store, names);
    store.testbeds.saveRecord(id, testbed, names);
    return testbed;
  } catch (error) {
    // Everything made has been removed, unless an earlier testbed that contradicts this one is still up.
    if (!(error instanceof VnmError && error.code === 'conflict')) store.testbeds.remove(id);
    throw error;
  }
}

/**
 * Takes down every testbed of this database, finished or not; returns their ids. Touches nothing of another database.
 */
export async function takeDown(store: Store): Promise<string[]> {
  const rows = store.testbeds.list();
  for (const { id, directory } of rows) {
    await testbedDown({ id, directory });
    store.testbeds.remove(id);
  }
  await rm(`${store.path}.testbed`, { recursive: true, force: true });
  // It is empty, unless other databases have testbeds there.
  await rmdir(elsewhere).catch(() => undefined);
  forgetInstalled(
    store,
    store.slices.names().filter((name) => onTestbed(store, name)),
  );
  return rows.map((row) => row.id);
}

export interface TestbedReport {
  readonly id: string;
  readonly state: TestbedRow['state'];
  readonly testbed?: Testbed;
  readonly status?: TestbedStatus;
  /** The paths between its nodes that are not as it was made. */
  readonly changedLinks?: readonly DirectedLink[];
}

export function reportTestbeds(store: Store): Promise<TestbedReport[]> {
  return Promise.all(
    store.testbeds.list().map(async ({ id, state, record }) => {
      if (record === null) return { id, state };
      const testbed = testbedSchema.parse(JSON.parse(record));
      const changedLinks = readChangedLinks(testbed.directory);
      return { id, state, testbed, status: await testbedStatus(testbed), changedLinks };
    }),
  );
}

/** Returns the testbed that one of the slices already uses. */
function recordedFor(store: Store, slices: readonly Slice[]): TestbedRow | undefined {
  const rows = slices.map((slice) => store.testbeds.forSlice(slice.name)).filter((row) => row !== undefined);
  return rows[0];
}

/** Not by the texts: those of one testbed may have their keys in another order. */
function isRecorded({ record }: TestbedRow, testbed: Testbed): boolean {
  return record !== null && isDeepStrictEqual(JSON.parse(record), testbed);
}

function newTestbed(store: Store, slices: readonly Slice[]): { id: string; directory: string } {
  const id = Array.from({ length: 5 }, () => randomInt(36).toString(36)).join('');
  const directory = placeOf(resolve(`${store.path}.testbed`, id), slices) ?? join(elsewhere, id);
  store.testbeds.add(id, directory);
  return { id, directory };
}

/**
 * For testbeds that cannot be next to their database. The directory belongs to its user and does not survive a reboot,
 * like the testbeds. macOS has a directory for each user's temporary files, but sockets there have too long paths.
 */
const elsewhere =
  process.platform === 'linux' && process.getuid?.() === 0
    ? '/run/pl-vnm-testbeds'
    : join(process.platform === 'linux' ? tmpdir() : '/tmp', `pl-vnm-testbeds-${userInfo().uid}`);

/** Returns the directory if nodes can have their files below it: a login's path on any host, with sockets in it. */
export function placeOf(directory: string, slices: readonly Slice[]): string | undefined {
  const nodes = slices.flatMap((slice) => [...slice.nodes.keys()].map((node) => nodeDirectory(directory, node)));
  return nodes.every((home) => isPlainPath(home) && slices.every(({ name }) => hasRoomForSocket(name, home)))
    ? directory
    : undefined;
}

/** Everything installed went with the nodes, and so did what interrupted migrations left there. */
function forgetInstalled({ instances, migrations }: Store, slices: readonly string[]): void {
  for (const name of slices) {
    for (const { id } of migrations.unfinished(name))
      migrations.finish(id, 'failed', Date.now(), 'the testbed was taken down');
    for (const { id, vn } of instances.list({ slice: name })) {
      instances.remove(id);
      instances.setSettings(name, vn, undefined);
    }
  }
}

function onTestbed(store: Store, slice: string): boolean {
  const nodes = [...(store.slices.find(slice)?.nodes.values() ?? [])];
  return nodes.some((node) => node.host === undefined);
}
