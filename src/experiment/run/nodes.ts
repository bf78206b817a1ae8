/**
 * The nodes of an experiment, and their clean state before each run: the VN is uninstalled, which removes everything
 * of it, and installed again on the placement where the run begins; nothing sends.
 *
 * After a run that failed, a testbed is taken down and made again. On real nodes, `uninstall` removes what is recorded,
 * and `reconcile` what is not.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Connections, keepConnections } from '../../controller/base/connections.ts';
import type { Context, Progress } from '../../controller/base/context.ts';
import { type DoctorResult, doctor } from '../../controller/doctor.ts';
import { install } from '../../controller/install.ts';
import { reconcile } from '../../controller/reconcile.ts';
import { uninstall } from '../../controller/uninstall.ts';
import { VnmError } from '../../model/errors.ts';
import type { Slice } from '../../model/slice.ts';
import { openStore, type Store } from '../../store/store.ts';
import { type DataplaneChoice, dataplaneChoice } from '../../testbed/dataplane.ts';
import { bringUp, takeDown } from '../../testbed/manage.ts';
import type { Experiment } from '../file/experiment.ts';
import { type Parameters, sliceWith } from '../parameters/index.ts';
import type { InstalledVn } from '../parameters/parameter.ts';

export interface NodesOptions {
  readonly acceptNewHostKeys: boolean;
  readonly signal: AbortSignal;
}

export interface Nodes {
  /** The data plane of the testbed, and why; undefined if all nodes have a host. */
  readonly testbed: DataplaneChoice | undefined;
  /**
   * Reaches the clean state for a run, on the placement where it begins. The context has no kept connections, as that
   * of a command, and reports to `report`. Throws if the state cannot be reached.
   */
  prepare(parameters: Parameters, report: (progress: Progress) => void): Promise<InstalledVn>;
  /** What the nodes can do, and the bounds of their clocks. The nodes must be prepared. */
  examine(): Promise<DoctorResult['nodes']>;
  /** The next `prepare` trusts nothing that is there. */
  distrust(): void;
  /** Removes everything from the nodes, and the testbed. */
  close(): Promise<void>;
}

/** The placement where a run begins, and the one where it ends. */
export function endsOf(
  { from, to }: Pick<Experiment, 'from' | 'to'>,
  { direction }: Parameters,
): { readonly from: string; readonly to: string } {
  return direction === 'back' ? { from: to, to: from } : { from, to };
}

/** Where the database is while an experiment runs. */
function stateOf(folder: string): string {
  return join(folder, '.state');
}

/** Whether something may be left of an earlier process, on nodes and on this machine. */
export function hasState(folder: string): boolean {
  return existsSync(stateOf(folder));
}

/**
 * `folder`: the result folder, which has the database meanwhile. Removes what a killed process left there and on the
 * nodes. Throws VnmError `unsupported` if this machine cannot carry the testbed.
 */
export async function openNodes(folder: string, experiment: Experiment, options: NodesOptions): Promise<Nodes> {
  const { slice: base } = experiment;
  const { acceptNewHostKeys, signal } = options;
  const isLocal = [...base.nodes.values()].some(({ host }) => host === undefined);
  const testbed = isLocal ? dataplaneChoice(experiment.testbed) : undefined;
  const directory = stateOf(folder);
  mkdirSync(directory, { recursive: true });
  const store = openStore(join(directory, 'pl-vnm.db'));
  const silent: Context = { store, acceptNewHostKeys, report: () => {} };
  let connections: Connections = keepConnections();
  let upWith: Slice['latency'] | undefined;
  let isTrusted = false;

  async function removeAll(context: Context): Promise<void> {
    if (testbed !== undefined) {
      connections.closeAll();
      connections = keepConnections();
      upWith = undefined;
      await takeDown(store);
      return;
    }
    const recorded = store.slices.find(base.name);
    if (recorded === undefined) return;
    await uninstall({ ...context, connections }, recorded);
    // Otherwise what is there is another database's.
    if (isOurs(store, base.name)) await reconcile({ ...context, connections }, recorded, { dryRun: false });
  }

  async function makeTestbed(slice: Slice, { dataplane }: DataplaneChoice, context: Context): Promise<void> {
    const isRight = upWith !== undefined && isDeepStrictEqual(upWith, slice.latency);
    if (isRight) return;
    if (upWith !== undefined) await removeAll(context);
    const onProgress = (text: string) => context.report({ kind: 'note', text });
    await bringUp(store, [slice], { server: 'embedded', dataplane, onProgress, signal });
    upWith = slice.latency;
  }

  async function clean(parameters: Parameters, context: Context): Promise<InstalledVn> {
    const { slice, vn } = sliceWith(experiment, parameters);
    if (!isTrusted) await removeAll(context);
    if (testbed !== undefined) await makeTestbed(slice, testbed, context);
    const kept = { ...context, connections };
    const before = store.slices.find(slice.name);
    if (before !== undefined) await uninstall(kept, before);
    store.slices.save(slice);
    const placed = store.slices.find(slice.name)!;
    const { from } = endsOf(experiment, parameters);
    await install(kept, placed, { placement: from, urpf: parameters.urpf!, vn: vn.name }).catch((error: unknown) => {
      throw testbed === undefined ? explained(error, base.name) : error;
    });
    isTrusted = true;
    return { context, kept, slice: placed, vn: placed.vns.find(({ name }) => name === vn.name)! };
  }

  return {
    testbed,
    prepare: async (parameters, report) => {
      const context: Context = { ...silent, report, signal };
      try {
        return await clean(parameters, context);
      } catch (error) {
        signal.throwIfAborted();
        if (!isTrusted) throw error;
        isTrusted = false;
        return clean(parameters, context);
      }
    },
    examine: async () => (await doctor({ ...silent, connections, signal }, store.slices.find(base.name)!)).nodes,
    distrust: () => {
      isTrusted = false;
    },
    close: async () => {
      try {
        await removeAll(silent);
      } finally {
        connections.closeAll();
        store.close();
      }
      rmSync(directory, { recursive: true });
    },
  };
}

/** Whether this database has installed the slice; `install` refuses that while another one has. */
function isOurs({ events }: Store, slice: string): boolean {
  return events.count(slice, ['installed', 'uninstalled'], 0) > 0;
}

/** Only another database can have installed what contradicts a clean state. */
function explained(error: unknown, slice: string): unknown {
  if (!(error instanceof VnmError) || error.code !== 'conflict') return error;
  return new VnmError('conflict', error.message, {
    hint: `an experiment has a database of its own: run pl-vnm uninstall ${slice} with the database that installed it`,
    cause: error,
  });
}
