/**
 * A data plane in memory. The planner defines the meaning of operations; its commands are not executed here, only the
 * resulting state is kept. The plane itself checks just one thing: a nexthop needs an interface that is up.
 */
import type { Actuator } from '../../../src/agent/dataplane/actuator.ts';
import { type ByKind, forKind } from '../../../src/agent/dataplane/armable.ts';
import type { DataPlane } from '../../../src/agent/dataplane/dataplane.ts';
import { differencesOf } from '../../../src/agent/dataplane/planner/differences.ts';
import { gateName } from '../../../src/agent/dataplane/planner/gate.ts';
import { tableOf, toInventory } from '../../../src/agent/dataplane/planner/inventory.ts';
import { checkPinned } from '../../../src/agent/dataplane/planner/pinned.ts';
import { planOperations } from '../../../src/agent/dataplane/planner/plan.ts';
import { redirectedGroups } from '../../../src/agent/dataplane/planner/redirected-groups.ts';
import {
  isEmpty,
  isGroup,
  type KernelState,
  linkAt,
  type Neighbour,
  type NexthopGroup,
  ownStack,
} from '../../../src/agent/dataplane/planner/state.ts';
import type { Clock } from '../../../src/clock/clock.ts';
import { parseAddress } from '../../../src/model/address.ts';
import { VnmError } from '../../../src/model/errors.ts';
import type { FlowEntry } from '../../../src/model/flow-entry.ts';
import { createMemoryEndpoints } from './endpoints.ts';
import { type Host, letGo, type Network } from './network.ts';
import { playGuests } from './played-guests.ts';
import { playMoving } from './played-moving.ts';
import { converge, stateOf } from './played-ospf.ts';

type Step =
  | { readonly groups: readonly NexthopGroup[] }
  | { readonly gate: string; readonly closed: boolean }
  | { readonly interface: string; readonly neighbour: Neighbour }
  | { readonly namespace: string; readonly entries: readonly FlowEntry[] };

/** The MTU of the network between the nodes. */
const underlayMtu = 1500;

export function emptyState(address: string): KernelState {
  const own = { prefix: { base: parseAddress(address), length: 32 }, is: "an address of this node ('eth0')" };
  return {
    stacks: new Map([[ownStack, { links: new Map(), routes: new Map(), settings: new Map() }]]),
    nexthops: new Map(),
    rules: new Set(),
    ownAddresses: [{ ...own, isSource: true }],
  };
}

export function createMemoryPlane(
  network: Network,
  host: Host,
  clock: Clock,
): { readonly plane: DataPlane; readonly actuator: Actuator<Step> } {
  let batches = 0;
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<T>(body: () => T | Promise<T>): Promise<T> {
    const turn = last.then(body);
    last = turn.catch(() => {});
    return turn;
  }

  function putGroups(groups: readonly NexthopGroup[]): void {
    const nexthops = new Map(host.state.nexthops);
    for (const group of groups) nexthops.set(group.id, group);
    host.state = { ...host.state, nexthops };
  }

  function putGate(name: string, closed: boolean): string | undefined {
    const stack = host.state.stacks.get(ownStack)!;
    const link = stack.links.get(name);
    if (link?.gate === undefined) return `there is no gate '${name}'`;
    const links = new Map(stack.links).set(name, { ...link, gate: { ...link.gate, closed } });
    host.state = { ...host.state, stacks: new Map(host.state.stacks).set(ownStack, { ...stack, links }) };
    letGo(host);
    return undefined;
  }

  const redirected = (groups: Parameters<DataPlane['redirect']>[0]) =>
    redirectedGroups(groups, host.state.nexthops).map(({ after }) => after);

  function gateStep(name: string, closed: boolean): Step {
    const gate = gateName(name);
    if (linkAt(host.state, { namespace: ownStack, name: gate })?.gate !== undefined) return { gate, closed };
    throw new VnmError('not-found', `there is no such gate: '${gate}'`, { hint: 'create it with gate_up' });
  }

  function putNeighbour(name: string, neighbour: Neighbour): string | undefined {
    const stack = host.state.stacks.get(ownStack)!;
    const link = stack.links.get(name);
    if (link === undefined) return `there is no interface '${name}'`;
    const others = link.neighbours.filter(({ address }) => address !== neighbour.address);
    const links = new Map(stack.links).set(name, { ...link, neighbours: [...others, neighbour] });
    host.state = { ...host.state, stacks: new Map(host.state.stacks).set(ownStack, { ...stack, links }) };
    return undefined;
  }

  /** Packets here follow the routes of a switch's stack, not its entries. */
  function switchStep(namespace: string, entries: readonly FlowEntry[]): Step {
    if (host.state.daemons?.get(namespace)?.kind === 'openvswitch') return { namespace, entries };
    throw new VnmError('not-found', `there is no switch in namespace '${namespace}'`);
  }

  const steps: ByKind<Step> = {
    redirect: ({ groups }) => ({ groups: redirected(groups) }),
    gate_close: ({ interface: name }) => gateStep(name, true),
    gate_open: ({ interface: name }) => gateStep(name, false),
    flow: ({ namespace, entries }) => switchStep(namespace, entries),
    neighbour: ({ interface: name, address, mac }) => ({ interface: name, neighbour: { address, mac } }),
  };

  const plane: DataPlane = {
    kind: 'memory',
    endpoints: createMemoryEndpoints(network, host),
    apply: (operations, pinned, { dryRun = false, repair = false } = {}) =>
      inTurn(() => {
        const { results, commands, state } = planOperations(host.state, operations, host.policy, repair);
        const differences = dryRun || repair ? { differences: differencesOf(host.state, state) } : {};
        if (dryRun) return { results, ...differences };
        checkPinned(pinned(), host.state, state);
        checkNexthops(host.state, state);
        const { stacks, nexthops, rules, ownAddresses = [], daemons = new Map() } = state;
        const machines = new Map([...(state.machines ?? [])].map(([name, one]) => [name, { ...one, answers: true }]));
        host.state = { stacks, nexthops, rules, ownAddresses, daemons, machines };
        converge(network);
        if (commands.length > 0) batches += 1;
        letGo(host);
        return { results, ...differences };
      }),
    confirm() {
      throw new VnmError('not-found', 'no batch is waiting for this token');
    },
    collisions: () => inTurn(() => ({ collisions: [], installed: !isEmpty(host.state) })),
    counters: async () => ({ interfaces: [], drops: [] }),
    inventory: () => inTurn(() => toInventory(host.state)),
    routes: (namespace = ownStack, known) =>
      inTurn(() => {
        const stack = host.state.stacks.get(namespace);
        if (stack === undefined) throw new VnmError('not-found', `there is no namespace '${namespace}'`);
        return tableOf(stack.routes.values(), known);
      }),
    daemonState: async (namespace) => {
      const state = host.state.daemons?.get(namespace)?.state;
      if (state === 'moving') throw new VnmError('failed', `the daemon in '${namespace}' does not answer`);
      if (state !== undefined) return stateOf(network, { host, namespace });
      throw new VnmError('not-found', `there is no routing daemon in namespace '${namespace}'`);
    },
    moving: playMoving(network, host, inTurn),
    machines: playGuests(host, inTurn),
    images: {
      pathOf: (digest) => digest,
      state: () => ({ complete: true, bytes: 1 }),
      write: async () => ({ bytes: 1 }),
      removeAll: () => {},
    },
    neighbourEvents: async () => ({}),
    pathMtu: async (remotes) =>
      remotes.map((remote) => {
        if (network.has(remote)) return underlayMtu;
        throw new VnmError('failed', `no route to ${remote}`);
      }),
    async redirect(groups) {
      const startedAt = clock.wallMs();
      putGroups(redirected(groups));
      return { startedAt, finishedAt: clock.wallMs() };
    },
    prepare: (armables, take) =>
      inTurn(() =>
        take(
          armables.map((armable) => forKind(steps, armable)),
          batches,
        ),
      ),
    features: async () => [
      { name: 'bird', available: true, detail: 'version 2.0.12' },
      { name: 'openvswitch', available: true, detail: 'version 3.1.0' },
      { name: 'criu', available: true },
      { name: 'machine', available: true, detail: 'with KVM' },
      { name: 'control-packets', available: true },
    ],
    close: async () => {},
  };
  const actuator: Actuator<Step> = {
    take() {},
    warmUp() {},
    wake() {},
    perform(step) {
      if ('gate' in step) return putGate(step.gate, step.closed);
      if ('interface' in step) return putNeighbour(step.interface, step.neighbour);
      if ('entries' in step) return undefined;
      putGroups(step.groups);
      return undefined;
    },
  };
  return { plane, actuator };
}

/** Throws VnmError `failed` for a new nexthop over an interface that is down. */
function checkNexthops(before: KernelState, after: KernelState): void {
  for (const [id, nexthop] of after.nexthops) {
    if (before.nexthops.has(id) || isGroup(nexthop)) continue;
    if (linkAt(after, { namespace: ownStack, name: nexthop.interface })?.up) continue;
    throw new VnmError('failed', `nexthop ${id}: '${nexthop.interface}' is not up`, { hint: 'nothing was changed' });
  }
}
