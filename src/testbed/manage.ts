/** Local testbeds as the database knows them. */
import { randomInt } from 'node:crypto';
import { rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { hasRoomForSocket } from '../agent/paths.ts';
import { VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import type { Store } from '../store/store.ts';
import type { TestbedRow } from '../store/testbeds.ts';
import { isPlainPath } from '../transport/node-survey.ts';
import { testbedDown } from './down.ts';
import { nodeDirectory } from './layout.ts';
import { type ServerKind, type Testbed, testbedSchema } from './record.ts';
import { type TestbedStatus, testbedStatus } from './status.ts';
import { testbedUp } from './up.ts';

export interface BringUpOptions {
  readonly server: ServerKind;
  readonly onProgress: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Gives the slices' nodes a place on this machine and records where. The slices share one testbed: nodes of the same name are
 * one node. Repeating it changes nothing. Errors as `testbedUp`.
 */
export async function bringUp(store: Store, slices: readonly Slice[], options: BringUpOptions): Promise<Testbed> {
  for (const slice of slices) store.slices.save(slice);
  const names = slices.map((slice) => slice.name);
  const recorded = recordedFor(store, slices);
  const { id, directory } = recorded ?? newTestbed(store, slices);
  try {
    const testbed = await testbedUp(slices, { id, directory, ...options });
    // A testbed that was partly dead has been made again, with nothing on it.
    if (recorded !== undefined && recorded.record !== JSON.stringify(testbed)) forgetInstalled(store, names);
    store.testbeds.saveRecord(id, testbed, names);
    return testbed;
  } catch (error) {
    // What was made is gone again, unless an earlier testbed that contradicts this one is still up.
    if (!(error instanceof VnmError && error.code === 'conflict')) store.testbeds.remove(id);
    throw error;
  }
}

/** Takes down every testbed of this database, finished or not; answers their ids. Nothing of another database is touched. */
export async function takeDown(store: Store): Promise<string[]> {
  const rows = store.testbeds.list();
  for (const { id, directory } of rows) {
    await testbedDown({ id, directory });
    store.testbeds.remove(id);
  }
  await rm(`${store.path}.testbed`, { recursive: true, force: true });
  // Empty, unless other databases have testbeds there.
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
}

export function reportTestbeds(store: Store): Promise<TestbedReport[]> {
  return Promise.all(
    store.testbeds.list().map(async ({ id, state, record }) => {
      if (record === null) return { id, state };
      const testbed = testbedSchema.parse(JSON.parse(record));
      return { id, state, testbed, status: await testbedStatus(testbed) };
    }),
  );
}

/** The testbed that one of the slices is on already. */
function recordedFor(store: Store, slices: readonly Slice[]): TestbedRow | undefined {
  const rows = slices.map((slice) => store.testbeds.forSlice(slice.name)).filter((row) => row !== undefined);
  return rows[0];
}

function newTestbed(store: Store, slices: readonly Slice[]): { id: string; directory: string } {
  const id = Array.from({ length: 5 }, () => randomInt(36).toString(36)).join('');
  const directory = placeOf(resolve(`${store.path}.testbed`, id), slices) ?? join(elsewhere, id);
  store.testbeds.add(id, directory);
  return { id, directory };
}

/** For testbeds that cannot be next to their database: root's, and gone after a reboot, as the testbeds are. */
const elsewhere = '/run/pl-vnm-testbeds';

/** The directory itself, if nodes can have their files below it: as a login's path on any host, and with sockets in it. */
export function placeOf(directory: string, slices: readonly Slice[]): string | undefined {
  const nodes = slices.flatMap((slice) => [...slice.nodes.keys()].map((node) => nodeDirectory(directory, node)));
  return nodes.every((home) => isPlainPath(home) && slices.every(({ name }) => hasRoomForSocket(name, home)))
    ? directory
    : undefined;
}

/** With the nodes went everything that was installed on them. */
function forgetInstalled({ instances }: Store, slices: readonly string[]): void {
  for (const name of slices) {
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
