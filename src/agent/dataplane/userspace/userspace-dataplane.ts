/**
 * The data plane of virtual routers as code: tunnels over UDP, forwarding in this process, no privilege. The planner
 * decides what operations mean; its commands are for the kernel: here the state that they lead to is all there is. It
 * is kept in a file, so that the next agent forwards as this one did.
 */
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../../clock/clock.ts';
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { Feature } from '../../../vsys/messages.ts';
import type { Operation } from '../../../vsys/operations.ts';
import type { Policy } from '../../../vsys/policy.ts';
import type { HostAttachments } from '../../hosts/serve.ts';
import { type ByKind, forKind } from '../armable.ts';
import type { DataPlane } from '../dataplane.ts';
import { differencesOf } from '../planner/differences.ts';
import { gateName } from '../planner/gate.ts';
import { tableOf, toInventory } from '../planner/inventory.ts';
import { checkPinned } from '../planner/pinned.ts';
import { planOperations } from '../planner/plan.ts';
import { redirectedGroups } from '../planner/redirected-groups.ts';
import {
  isEmpty,
  isGroup,
  type KernelState,
  type Link,
  linkAt,
  type NexthopGroup,
  ownStack,
} from '../planner/state.ts';
import { refuseDaemons } from '../refuse-daemons.ts';
import { requireKinds } from '../tunnel-kinds.ts';
import { createAttachedHosts } from './attached-hosts.ts';
import { createCounters } from './counters.ts';
import { createStackEndpoints } from './endpoints.ts';
import { createForwarder, type Forwarder } from './forwarder.ts';
import { createForwards } from './forwards.ts';
import type { StateFile } from './state-file.ts';
import { atOnce, inSteps } from './steps.ts';
import { createSwitches, type SwitchStep } from './switches.ts';
import { prepareTables, switchesOf, type Tables } from './tables.ts';
import { openUnderlay } from './underlay.ts';

/** Of the paths between nodes, which no ordinary user can ask the system about. */
const underlayMtu = 1500;

export interface UserspaceParts {
  /** Where other nodes' tunnels reach this one; port 0 of the system's choice. */
  readonly address: string;
  readonly port: number;
  readonly file: StateFile;
  /** Before the first thing of the slice is installed, and after the last one has gone. */
  readonly installed: (isInstalled: boolean) => Promise<void>;
  readonly log: (event: string) => void;
}

export interface UserspacePlane extends DataPlane {
  /** Shared with the actuator. */
  readonly switches: SharedArrayBuffer;
  /** UDP port of the tunnels. */
  readonly port: number;
  /** For programs at the end hosts of this node. */
  readonly hosts: HostAttachments;
}

const empty: KernelState = {
  stacks: new Map([[ownStack, { links: new Map(), routes: new Map(), settings: new Map() }]]),
  nexthops: new Map(),
  rules: new Set(),
};

/** Throws as `openUnderlay` and `StateFile.read`. */
export async function createUserspaceDataPlane(
  policy: Policy,
  clock: Clock,
  parts: UserspaceParts,
): Promise<UserspacePlane> {
  const { file, log } = parts;
  const switches = createSwitches();
  const counters = createCounters();
  const tableParts = { policy, switches, counters };
  let state: KernelState = file.read() ?? empty;
  switches.put(switchesOf(state), new Map());
  let batches = 0;
  let last: Promise<unknown> = Promise.resolve();
  const forwarder: Forwarder = createForwarder(atOnce(prepareTables(state, tableParts)), {
    values: switches.values,
    counters,
    send: (...datagram) => underlay.send(...datagram),
    deliver: (...packet) => endpoints.deliver(...packet),
  });
  const underlay = await openUnderlay({
    address: parts.address,
    port: parts.port,
    onDatagram: forwarder.receive,
    log,
  });
  const hosts = createAttachedHosts({
    subnet: policy.vnet,
    mtuAt: (address) => linkWith(state, address)?.mtu,
    originate: (packet) => forwarder.originate(ownStack, packet),
  });
  const { deliver, openAhead, ...publicEndpoints } = createStackEndpoints(() => forwarder, underlay, hosts);
  const endpoints = { deliver };
  const forwards = createForwards({ openUdp: publicEndpoints.openUdp, openAhead, log });
  state = { ...state, forwards: await forwards.resume(state.forwards ?? new Map()) };
  // What an armed action changed is in the shared memory only.
  switches.onChange(() => {
    forwarder.releaseHeld();
    inTurn(() => save(current())).catch((error) => log(messageOf(error)));
  });

  /** One after the other, so that none changes what another has half done. */
  function inTurn<T>(body: () => T | Promise<T>): Promise<T> {
    const turn = last.then(body);
    last = turn.catch(() => {});
    return turn;
  }

  /** The state, with what redirections and gates have changed since. */
  function current(): KernelState {
    const nexthops = new Map(state.nexthops);
    let isChanged = false;
    for (const group of state.nexthops.values()) {
      if (!isGroup(group)) continue;
      const active = Atomics.load(switches.values, switches.slotOf(`group ${group.id}`)!);
      if (active === group.active) continue;
      nexthops.set(group.id, redirectedGroups([{ id: group.id, active }], state.nexthops)[0]!.after);
      isChanged = true;
    }
    const own = state.stacks.get(ownStack)!;
    const links = new Map(own.links);
    for (const link of own.links.values()) {
      if (link.gate === undefined) continue;
      const closed = Atomics.load(switches.values, switches.slotOf(`gate ${link.name}`)!) === 1;
      if (closed === link.gate.closed) continue;
      links.set(link.name, { ...link, gate: { ...link.gate, closed } });
      isChanged = true;
    }
    if (isChanged) state = { ...state, nexthops, stacks: new Map(state.stacks).set(ownStack, { ...own, links }) };
    return state;
  }

  /** Throws VnmError `failed`. */
  async function save(saved: KernelState): Promise<void> {
    try {
      if (isEmpty(saved)) file.remove();
      else await inSteps(file.write(saved));
    } catch (error) {
      throw new VnmError('failed', `cannot save the state of the data plane: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Tunnel packets go to another node. Throws VnmError `invalid-input`. */
  function checkRemote(operation: Operation): void {
    if (operation.op !== 'tunnel_up' || operation.kind !== 'udp') return;
    const { interface: name, remote, port } = operation;
    if (port !== underlay.port || !isOwnAddress(remote)) return;
    throw new VnmError(
      'invalid-input',
      `interface '${name}' cannot lead to ${remote}:${port}: it is an address of this node`,
      {
        hint: 'give the node at the other end the address where this node reaches it (`address` in the slice file)',
      },
    );
  }

  /** Builds the tables of a state and saves it, while packets follow the state before. */
  async function prepare(next: KernelState): Promise<Tables> {
    switches.reserve(switchesOf(next));
    const tables = await inSteps(prepareTables(next, tableParts, forwarder.tables()));
    await save(next);
    return tables;
  }

  /** Puts the state in the place of the one before, in one step. */
  function use(next: KernelState, before: KernelState, tables: Tables): void {
    state = next;
    switches.put(switchesOf(next), switchesOf(before));
    forwarder.use(tables);
    countOnlyFor(next);
  }

  /** Stays with the state after `prepare` of another one. */
  function stayWith(before: KernelState): void {
    switches.put(switchesOf(before), switchesOf(before));
    countOnlyFor(before);
  }

  function countOnlyFor({ stacks }: KernelState): void {
    counters.keep(
      [...stacks].flatMap(([namespace, { links }]) => [...links.keys()].map((name) => ({ namespace, name }))),
    );
  }

  function redirectStep(groups: Parameters<DataPlane['redirect']>[0]): SwitchStep {
    const changes = redirectedGroups(groups, current().nexthops);
    return changes.map(({ after }) => [switches.slotOf(`group ${after.id}`)!, activeOf(after)]);
  }

  function gateStep(name: string, closed: boolean): SwitchStep {
    const gate = gateName(name);
    if (linkAt(state, { namespace: ownStack, name: gate })?.gate === undefined) {
      throw new VnmError('not-found', `there is no such gate: '${gate}'`, { hint: 'create it with gate_up' });
    }
    return [[switches.slotOf(`gate ${gate}`)!, closed ? 1 : 0]];
  }

  const steps: ByKind<SwitchStep> = {
    redirect: ({ groups }) => redirectStep(groups),
    gate_close: ({ interface: name }) => gateStep(name, true),
    gate_open: ({ interface: name }) => gateStep(name, false),
    flow: noSwitch,
    neighbour: noSwitch,
  };

  return {
    kind: 'userspace',
    switches: switches.memory,
    port: underlay.port,
    hosts,
    endpoints: publicEndpoints,
    apply: (operations, pinned, { dryRun = false, repair = false } = {}) =>
      inTurn(async () => {
        requireKinds(operations, 'userspace', ['udp', 'local']);
        refuseDaemons(operations);
        operations.forEach(checkRemote);
        const before = current();
        const { results, state: draft } = planOperations(before, operations, policy, repair);
        const { stacks, nexthops, rules, forwards: wanted = new Map() } = draft;
        const planned = { stacks, nexthops, rules, forwards: wanted };
        const applied = dryRun || repair ? { results, differences: differencesOf(before, planned) } : { results };
        if (dryRun) return applied;
        checkPinned(pinned(), before, planned);
        checkNexthops(before, planned);
        if (results.every(({ status }) => status === 'unchanged')) return applied;
        const opened = await forwards.prepare(wanted);
        batches += 1;
        let tables: Tables;
        try {
          if (!isEmpty(planned)) await parts.installed(true);
          tables = await prepare(planned);
        } catch (error) {
          opened.abandon();
          stayWith(before);
          if (isEmpty(before)) await parts.installed(false);
          throw error;
        }
        use(planned, before, tables);
        opened.use();
        if (isEmpty(planned)) await parts.installed(false);
        return applied;
      }),
    confirm() {
      throw new VnmError('not-found', 'no batch waits for this token');
    },
    collisions: () => inTurn(() => ({ collisions: [], installed: !isEmpty(state) })),
    counters: async () => counters.read(),
    inventory: () => inTurn(() => toInventory(current())),
    routes: (namespace = ownStack, known) =>
      inTurn(() => {
        const stack = state.stacks.get(namespace);
        if (stack === undefined) throw new VnmError('not-found', `there is no namespace '${namespace}'`);
        return tableOf(stack.routes.values(), known);
      }),
    daemonState: noDaemon,
    neighbourEvents: noDaemon,
    pathMtu: async (remotes) => remotes.map(() => underlayMtu),
    async redirect(groups) {
      const step = redirectStep(groups);
      const startedAt = clock.wallMs();
      switches.change(step);
      return { startedAt, finishedAt: clock.wallMs() };
    },
    prepare: (armables, take) =>
      inTurn(() =>
        take(
          armables.map((armable) => forKind(steps, armable)),
          batches,
        ),
      ),
    features: async () => [...features],
    close: () =>
      inTurn(async () => {
        switches.end();
        forwards.close();
        await underlay.close();
      }),
  };
}

const features: readonly Feature[] = (
  ['udp-tunnel', 'nexthop-groups', 'resilient-groups', 'ifb-gate', 'tunnel-filter'] as const
).map((name) => ({ name, available: true }));

/** The interface of the node's own stack that has the address, if it is up. */
function linkWith(state: KernelState, address: string): Link | undefined {
  const links = [...state.stacks.get(ownStack)!.links.values()];
  return links.find((link) => link.up && link.addresses.some((own) => own.address === address));
}

function isOwnAddress(address: string): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some((own) => own.address === address));
}

function activeOf({ active, members }: NexthopGroup): number {
  return active ?? members[0]!;
}

/** Throws VnmError `failed` for a new one over an interface that is down, as a kernel does. */
function checkNexthops(before: KernelState, after: KernelState): void {
  for (const [id, nexthop] of after.nexthops) {
    if (before.nexthops.has(id) || isGroup(nexthop)) continue;
    if (linkAt(after, { namespace: ownStack, name: nexthop.interface })?.up) continue;
    throw new VnmError('failed', `nexthop ${id}: '${nexthop.interface}' is not up`, { hint: 'nothing was changed' });
  }
}

function noSwitch(): never {
  throw new VnmError('unsupported', 'the userspace data plane has no switches');
}

async function noDaemon(namespace: string): Promise<never> {
  throw new VnmError('not-found', `there is no routing daemon in namespace '${namespace}'`);
}
