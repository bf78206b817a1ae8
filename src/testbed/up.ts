/** Sets a local testbed up. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { readBoundedText } from '../model/bounded-file.ts';
import type { Dataplane } from '../model/dataplane.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import { dataplaneChoice } from './dataplane.ts';
import { makeDirectory, ownsDirectory } from './directory.ts';
import { testbedDown } from './down.ts';
import { knownHostLine, makeKeyPair, writePrivateKey } from './keys.ts';
import { testbedFiles } from './layout.ts';
import type { DirectedLink, Impairment } from './links/properties.ts';
import { readChangedLinks, writeChangedLinks } from './links/record.ts';
import { testbedNamespaces } from './namespaces.ts';
import { startNode } from './node.ts';
import { planTestbed, type TestbedPlan } from './plan.ts';
import { type ServerKind, type Testbed, testbedSchema } from './record.ts';
import { sshdPath } from './ssh-openssh.ts';
import { startRelay } from './start-relay.ts';
import { testbedStatus } from './status.ts';
import { makeUnderlay } from './underlay.ts';
import { startUserspaceNodes } from './userspace.ts';

export interface TestbedOptions {
  /**
   * 4 to 6 of [a-z0-9], unique on the machine. The caller stores it before anything is made, so that `down` finds
   * everything.
   */
  readonly id: string;
  /** Absolute path of the state directory, which `testbedUp` makes. */
  readonly directory: string;
  readonly server: ServerKind;
  /** The kernel's if left out. */
  readonly dataplane?: Dataplane;
  readonly impairment?: Impairment | undefined;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Places every node of these slices without `host` on this machine. A testbed that is up and alive stays as it is; a
 * partly dead one is made again. On a failure or an abort nothing is left.
 *
 * Throws VnmError: `unsupported` (no Linux, root or tools), `conflict` (the id or the directory is another testbed's,
 * the running testbed has other slices, or the slices contradict each other), `invalid-input`, `interrupted`, `failed`.
 */
export async function testbedUp(slices: readonly Slice[], options: TestbedOptions): Promise<Testbed> {
  const { id, directory, server, dataplane = 'kernel', impairment } = options;
  if (!/^[a-z0-9]{4,6}$/.test(id)) {
    throw new VnmError('invalid-input', `invalid testbed id: '${id}'`, { hint: 'use 4 to 6 of a-z and 0-9' });
  }
  dataplaneChoice(dataplane);
  if (server === 'openssh') requireOpenssh(dataplane);
  const plan = planTestbed(slices, id, server, dataplane, impairment);
  const { running, changed } = await findTestbed(plan, directory);
  if (running !== undefined) return running;
  try {
    return await makeTestbed(plan, changed, options);
  } catch (error) {
    await testbedDown(options);
    if (options.signal?.aborted !== true) throw error;
    throw new VnmError('interrupted', `testbed '${id}' was interrupted and taken down`, { cause: error });
  }
}

/** Throws VnmError `unsupported`. */
function requireOpenssh(dataplane: Dataplane): void {
  if (dataplane === 'kernel') sshdPath();
  else {
    throw new VnmError('unsupported', 'a userspace testbed has no OpenSSH servers', {
      hint: 'use --server embedded, or --dataplane kernel',
    });
  }
}

interface FoundTestbed {
  /** If it is up and alive. */
  readonly running?: Testbed;
  /** The paths that were changed on a dead one, which has been removed. */
  readonly changed: readonly DirectedLink[];
}

/** Looks for the testbed; removes the parts of a dead one. */
async function findTestbed(plan: TestbedPlan, directory: string): Promise<FoundTestbed> {
  const owned = await ownsDirectory(plan.id, directory);
  if (!owned && (await testbedNamespaces(plan.id)).length > 0) {
    throw new VnmError('conflict', `the id '${plan.id}' is in use by a testbed in another directory`, {
      hint: 'choose another id',
    });
  }
  const testbed = owned ? await readRecord(plan, directory) : undefined;
  const changed = testbed === undefined ? [] : readChangedLinks(directory);
  if (testbed !== undefined && (await testbedStatus(testbed)).alive) return { running: testbed, changed };
  await testbedDown({ id: plan.id, directory });
  return { changed };
}

/** Enough for some thousand nodes. */
const maxRecordBytes = 16 * 1024 * 1024;

/** The record is written last: without it the testbed was never complete. */
function readIfThere(path: string): string | undefined {
  try {
    return readBoundedText(path, { maxBytes: maxRecordBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new VnmError('failed', `cannot read the record ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function readRecord(plan: TestbedPlan, directory: string): Promise<Testbed | undefined> {
  const files = testbedFiles(directory);
  const record = readIfThere(files.record);
  if (record === undefined) return undefined;
  if (readBoundedText(files.plan, { maxBytes: maxRecordBytes }) !== planText(plan)) {
    throw new VnmError(
      'conflict',
      `testbed '${plan.id}' was made for other slices, another kind of server or other options`,
      {
        hint: 'take it down first',
      },
    );
  }
  return testbedSchema.parse(JSON.parse(record));
}

async function makeTestbed(
  plan: TestbedPlan,
  changed: readonly DirectedLink[],
  options: TestbedOptions,
): Promise<Testbed> {
  const { directory, onProgress, signal } = options;
  const files = testbedFiles(directory);
  signal?.throwIfAborted();
  await makeDirectory(plan.id, directory);
  await writeFile(files.plan, planText(plan));
  if (changed.length > 0) await writeChangedLinks(directory, changed);
  if (plan.dataplane === undefined) {
    onProgress?.(`${plan.nodes.length} nodes: making namespaces and the network between them`);
    await makeUnderlay(plan);
  }
  signal?.throwIfAborted();
  onProgress?.(`${plan.nodes.length} nodes: starting SSH servers${plan.latency === 'relay' ? ' and the relay' : ''}`);
  const testbed = await startProcesses(plan, options);
  await writeFile(`${files.record}.new`, `${JSON.stringify(testbed, null, 2)}\n`);
  await rename(`${files.record}.new`, files.record);
  return testbed;
}

/** Tells whether a running testbed is the requested one. */
function planText(plan: TestbedPlan): string {
  return JSON.stringify(plan);
}

async function startProcesses(plan: TestbedPlan, options: TestbedOptions): Promise<Testbed> {
  const { id, server, latency } = plan;
  const { directory } = options;
  const files = testbedFiles(directory);
  const clientKey = makeKeyPair();
  await writePrivateKey(files.clientKey, clientKey);
  const signal = options.signal ?? new AbortController().signal;
  if (plan.dataplane === 'userspace') {
    const { nodes, knownHosts } = await startUserspaceNodes(plan, directory, clientKey, signal);
    await writeFile(files.knownHosts, knownHosts);
    return { id, directory, server, dataplane: 'userspace', nodes, knownHosts: files.knownHosts, latency };
  }
  if (server === 'openssh') await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  if (latency === 'relay') await startRelay(plan, directory, signal);
  const started = await allOrNone(plan.nodes, signal, (node, either) =>
    startNode(node, directory, server, clientKey, either),
  );
  const knownHosts = started.map(({ node, hostKey }) => knownHostLine(node.port, hostKey)).join('');
  await writeFile(files.knownHosts, knownHosts);
  const nodes = started.map(({ node }) => node);
  return { id, directory, server, dataplane: 'kernel', nodes, knownHosts: files.knownHosts, latency };
}

/** Starts something for each item. When one fails, the others are aborted, and this throws after all have ended. */
async function allOrNone<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal,
  start: (item: Item, either: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const tasks = items.map((item) => start(item, either));
  for (const task of tasks) task.catch((error) => failure.abort(error));
  await Promise.allSettled(tasks);
  return Promise.all(tasks);
}
