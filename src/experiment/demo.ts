/** Runs the main job once on this machine: watch a migration before you read anything. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context, Progress } from '../controller/base/context.ts';
import { install } from '../controller/install.ts';
import { type MigrateResult, migrate } from '../controller/migrate.ts';
import type { VerifyResult } from '../controller/probe/verify-vn.ts';
import { uninstall } from '../controller/uninstall.ts';
import { verify } from '../controller/verify.ts';
import type { Dataplane } from '../model/dataplane.ts';
import { packageFile } from '../model/package.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { readSlice } from '../slicefile/index.ts';
import { openStore } from '../store/store.ts';
import { dataplaneChoice } from '../testbed/dataplane.ts';
import { bringUp, takeDown } from '../testbed/manage.ts';

export interface DemoResult {
  readonly slice: string;
  readonly verified: VerifyResult;
  /** For each way, the migrations there and back. */
  readonly ways: { readonly way: Way; readonly migrations: MigrateResult[] }[];
}

type Way = 'paper' | 'ours';

/**
 * The paper's way: redirections commanded over SSH, strict uRPF. Ours: redirections armed at the gateways, feasible
 * uRPF.
 */
const ways = {
  paper: { control: 'remote', schedule: 'simultaneous', urpf: 'strict' },
  ours: { control: 'gateway', schedule: 'optimal', urpf: 'feasible' },
} as const;

/**
 * Makes a testbed, installs the three-node VN, moves it there and back under traffic, first in the paper's way and then
 * in ours, and removes everything. Throws VnmError, also `unsupported` if this machine cannot have that data plane.
 */
export async function demo(
  report: (progress: Progress) => void,
  signal: AbortSignal,
  wanted: 'auto' | Dataplane = 'auto',
): Promise<DemoResult> {
  const { dataplane, reason } = dataplaneChoice(wanted);
  const directory = await mkdtemp(join(tmpdir(), 'pl-vnm-demo-'));
  const store = openStore(join(directory, 'pl-vnm.db'));
  const slice = readSlice(packageFile('slices/three-node.yaml'));
  try {
    report({ kind: 'phase', text: `testbed: data plane ${dataplane} (${reason})` });
    await bringUp(store, [slice], {
      server: 'embedded',
      dataplane,
      onProgress: (text) => report({ kind: 'note', text }),
      signal,
    });
    // The database also knows the data plane of the local testbed.
    const placed = store.slices.find(slice.name)!;
    return await runDemo({ store, acceptNewHostKeys: false, report, signal }, placed);
  } finally {
    report({ kind: 'phase', text: 'clean up' });
    await takeDown(store);
    store.close();
    await rm(directory, { recursive: true });
  }
}

async function runDemo(context: Context, slice: Slice): Promise<DemoResult> {
  const vn = slice.vns[0] as VirtualNetwork;
  await install(context, slice, { placement: 'initial', urpf: 'strict' });
  const verified = await verify(context, slice, vn);
  const results: DemoResult['ways'] = [];
  for (const way of ['paper', 'ours'] as const) {
    const migrations: MigrateResult[] = [];
    for (const to of ['final', 'initial']) {
      const name = way === 'paper' ? "the paper's way" : 'our way';
      context.report({ kind: 'phase', text: `${name}: move to '${to}' under traffic of ${vn.flows.length} flows` });
      migrations.push(await migrate(context, slice, vn, { ...ways[way], to, granularity: 'gateway', traffic: true }));
    }
    results.push({ way, migrations });
  }
  await uninstall(context, slice);
  return { slice: slice.name, verified, ways: results };
}
