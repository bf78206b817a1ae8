/** The data planes of the agent, and what each knows of its node. Loads what only one of them needs with it. */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { systemClock } from '../clock/clock.ts';
import { parsePrefix } from '../model/address.ts';
import type { Policy } from '../vsys/policy.ts';
import { isInstalled } from '../vsys/presence.ts';
import { createDaemons } from './daemons/supervisor.ts';
import type { Supplier } from './dataplane/actuator.ts';
import type { DataPlane } from './dataplane/dataplane.ts';
import { keptFeatures, trialConditions } from './dataplane/kernel/kept-features.ts';
import { createKernelDataPlane } from './dataplane/kernel/kernel-dataplane.ts';
import { pendingFile } from './dataplane/kernel/pending-file.ts';
import { readMarks } from './dataplane/kernel/presence.ts';
import { readOwnAddresses } from './dataplane/kernel/read-state.ts';
import { createKernelSupplier } from './dataplane/kernel/supplier.ts';
import type { OwnAddress } from './dataplane/planner/state.ts';
import { createGuests } from './guests/guests.ts';
import type { AgentParts } from './handlers.ts';
import type { HostAttachments } from './hosts/serve.ts';
import type { Log } from './log.ts';
import { withNodeLock } from './node-lock.ts';
import { otherSlices } from './other-slices.ts';
import type { AgentPaths } from './paths.ts';

export interface OpenPlane extends Pick<AgentParts, 'others' | 'ownAddresses' | 'obstacles'> {
  readonly dataPlane: DataPlane;
  /** For a timing thread; a new one for each. */
  readonly createSupplier: () => Supplier;
  /** Absent where the node's own stack is the kernel's: its programs need no agent. */
  readonly hosts?: HostAttachments;
}

export interface PlaneOptions {
  readonly paths: AgentPaths;
  /** The directory of the agents' programs. */
  readonly lib: string;
  /** Of this agent's program. */
  readonly digest: string;
  /** Called before the slice's first object is installed, and after its last one is removed. */
  readonly installed: (isInstalled: boolean) => Promise<void>;
  readonly log: Log;
}

/** Whether the node has something of the slice. */
export async function hasInstalled(policy: Policy, { state }: AgentPaths): Promise<boolean> {
  return policy.userspace === undefined ? isInstalled(policy, await readMarks()) : existsSync(state);
}

/** Opens the data plane that the policy names. Throws VnmError. */
export async function openPlane(policy: Policy, options: PlaneOptions): Promise<OpenPlane> {
  return policy.userspace === undefined
    ? kernelPlane(policy, options)
    : userspacePlane(policy, policy.userspace, options);
}

function kernelPlane(policy: Policy, { paths, lib, digest, installed, log }: PlaneOptions): OpenPlane {
  const guests = createGuests({
    records: paths.guestRecords,
    images: paths.images,
    maxImageMib: policy.limits.imageMib,
    clock: systemClock,
    log,
  });
  const others = () => otherSlices(paths.policyDirectory, lib, policy.slice);
  const dataPlane = createKernelDataPlane(policy, systemClock, {
    others,
    installed: async (isInstalled) => {
      await installed(isInstalled);
      if (!isInstalled) guests.images.removeAll();
    },
    pending: pendingFile(paths.pending),
    features: keptFeatures(paths.features, () => trialConditions(digest)),
    daemons: createDaemons({ records: paths.daemonRecords, clock: systemClock, log }),
    guests,
    alone: (body) => withNodeLock(paths.runDirectory, body),
    log,
  });
  return {
    dataPlane,
    createSupplier: createKernelSupplier,
    others,
    ownAddresses: readOwnAddresses,
    obstacles: async (port) => (await import('./obstacles/obstacles.ts')).findObstacles(policy, port),
  };
}

/** Other slices do not matter: the slice's stacks are in this process. What obstructs packets needs root to see. */
async function userspacePlane(
  policy: Policy,
  { address, port }: NonNullable<Policy['userspace']>,
  { paths, installed, log }: PlaneOptions,
): Promise<OpenPlane> {
  const { createUserspaceSupplier } = await import('./dataplane/userspace/actuator.ts');
  const { stateFile } = await import('./dataplane/userspace/state-file.ts');
  const { createUserspaceDataPlane } = await import('./dataplane/userspace/userspace-dataplane.ts');
  const parts = { address, port, file: stateFile(paths.state), installed, log };
  const dataPlane = await createUserspaceDataPlane(policy, systemClock, parts);
  return {
    dataPlane,
    hosts: dataPlane.hosts,
    createSupplier: () => createUserspaceSupplier(dataPlane.switches),
    others: async () => [],
    ownAddresses: async () => interfaceAddresses(),
    obstacles: async () => [],
  };
}

function interfaceAddresses(): OwnAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, all = []]) =>
    all
      .filter(({ family }) => family === 'IPv4')
      .map(({ address }) => ({ prefix: parsePrefix(`${address}/32`), is: `an address of this node ('${name}')` })),
  );
}
