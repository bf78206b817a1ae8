/** The main job in one go, on this machine: see it move before you have read anything. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context, Progress } from '../controller/context.ts';
import { install } from '../controller/install.ts';
import { type MigrateResult, migrate } from '../controller/migrate.ts';
import { uninstall } from '../controller/uninstall.ts';
import { type VerifyResult, verify } from '../controller/verify.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { readSlice } from '../slicefile/index.ts';
import { openStore } from '../store/store.ts';
import { dataplaneChoice } from '../testbed/dataplane.ts';
import { bringUp, takeDown } from '../testbed/manage.ts';

export interface DemoResult {
  readonly slice: string;
  readonly verified: VerifyResult;
  /** There, and back again. */
  readonly migrations: MigrateResult[];
}

/** Makes a testbed, installs the three-node VN, moves it forth and back under traffic, and removes everything. */
export async function demo(report: (progress: Progress) => void, signal: AbortSignal): Promise<DemoResult> {
  dataplaneChoice('auto');
  const directory = await mkdtemp(join(tmpdir(), 'pl-vnm-demo-'));
  const store = openStore(join(directory, 'pl-vnm.db'));
  const slice = readSlice(fileURLToPath(new URL('../../slices/three-node.yaml', import.meta.url)));
  try {
    report({ kind: 'phase', text: 'testbed' });
    await bringUp(store, [slice], {
      server: 'embedded',
      onProgress: (text) => report({ kind: 'note', text }),
      signal,
    });
    return await runDemo({ store, acceptNewHostKeys: false, report, signal }, slice);
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
  const migrations: MigrateResult[] = [];
  for (const to of ['final', 'initial']) {
    context.report({ kind: 'phase', text: `migrate to '${to}' under the traffic of ${vn.flows.length} flows` });
    migrations.push(
      await migrate(context, slice, vn, {
        to,
        control: 'remote',
        schedule: 'simultaneous',
        granularity: 'gateway',
        urpf: 'strict',
        traffic: true,
      }),
    );
  }
  await uninstall(context, slice);
  return { slice: slice.name, verified, migrations };
}
