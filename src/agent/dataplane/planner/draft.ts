/**
 * A plan in progress: the commands so far, each with its inverse, and the state that they lead to. Every method is one
 * change of one object; other modules know what the operations mean.
 */
import { isDaemonRoute } from '../../../vsys/daemon.ts';
import type { Machine } from '../../../vsys/machine.ts';
import type { Daemon, ForwardSide } from '../../../vsys/operations.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { changeable } from './changed-map.ts';
import {
  addressStep,
  type Command,
  type Device,
  type Devices,
  ip,
  manyRoutesStep,
  neighbourStep,
  nexthopStep,
  nft,
  removeNexthopStep,
  routeStep,
  ruleStep,
  type Step,
  tc,
} from './commands.ts';
import { controlLines } from './control.ts';
import { filterLines } from './filter.ts';
import { bucketWords, hookWords, noRedirectWords, redirectWords } from './gate.ts';
import { dropGroup, putGroup } from './group.ts';
import { addDevices } from './links.ts';
import { type Ports, portLines, portState, ruleNames } from './ports.ts';
import { protocolName } from './protocols.ts';
import { hasIpv6At, isSettingOf } from './quiet.ts';
import {
  type Address,
  type Control,
  type ControlCounts,
  connectedRoute,
  forwardKey,
  type Gate,
  type KernelRoute,
  type KernelState,
  type KnownDaemon,
  type KnownMachine,
  kernelProtocol,
  type Link,
  type Neighbour,
  type Nexthop,
  type NexthopGroup,
  type OwnAddress,
  ownStack,
  type Place,
  type RuleDirection,
  routeKey,
  type Settings,
  type SingleNexthop,
  type Stack,
  type TunnelFilter,
} from './state.ts';
import type { Adjustment } from './tunnels/kind.ts';
import { entryStep } from './tunnels/vxlan.ts';

interface DraftStack extends Stack {
  readonly links: Map<string, Link>;
  readonly routes: ReturnType<typeof changeable<string, KernelRoute>>;
  readonly settings: Map<string, string>;
  /** Only `putControl` changes it. */
  control?: Control;
  controlCounts?: ControlCounts;
  portRules?: readonly string[];
}

/** Far longer than a packet stays in a device on a busy node. */
const settleMs = 100;

/** The group of interfaces that are about to be removed at once. In a router's namespace nothing else uses groups. */
const leavingGroup = 28_790;

const newLoopback: Link = {
  name: 'lo',
  kind: 'loopback',
  up: false,
  mtu: 65_536,
  mac: '00:00:00:00:00:00',
  hook: false,
  addresses: [],
  neighbours: [],
};

export class Draft implements KernelState {
  readonly commands: Command[] = [];
  readonly stacks: Map<string, DraftStack>;
  readonly nexthops: Map<number, Nexthop>;
  readonly rules: Set<RuleDirection>;
  readonly forwards: Map<string, ForwardSide>;
  readonly daemons: Map<string, KnownDaemon>;
  readonly machines: Map<string, KnownMachine>;
  /** Only `changeFilter` changes it. */
  filter?: TunnelFilter;
  readonly ownAddresses: readonly OwnAddress[];
  readonly policy: Policy;
  /** Whether to replace what contradicts an operation instead of refusing the operation. */
  readonly repair: boolean;
  #forwardChanges = 0;

  constructor(state: KernelState, policy: Policy, repair: boolean) {
    this.policy = policy;
    this.repair = repair;
    this.nexthops = new Map(state.nexthops);
    this.rules = new Set(state.rules);
    this.forwards = new Map(state.forwards);
    this.daemons = new Map(state.daemons);
    this.machines = new Map(state.machines);
    if (state.filter !== undefined) this.filter = state.filter;
    this.ownAddresses = state.ownAddresses ?? [];
    this.stacks = new Map(
      [...state.stacks].map(([namespace, { links, routes, settings, ...control }]) => [
        namespace,
        { links: new Map(links), routes: changeable(routes), settings: new Map(settings), ...control },
      ]),
    );
  }

  /** How many changes there are so far. */
  get changes(): number {
    return this.commands.length + this.#forwardChanges;
  }

  addNamespace(namespace: string): void {
    this.#do(ip(ownStack, 'netns', 'add', namespace), ip(ownStack, 'netns', 'del', namespace));
    this.stacks.set(namespace, { links: new Map([['lo', newLoopback]]), routes: new Map(), settings: new Map() });
  }

  /** Removes a namespace that has nothing but its loopback interface. */
  removeNamespace(namespace: string): void {
    const { links, settings } = this.#stack(namespace);
    const loopback = links.get('lo')?.up ? [ip(namespace, 'link', 'set', 'lo', 'up')] : [];
    const undo = [ip(ownStack, 'netns', 'add', namespace), ...loopback, { namespace, settings: new Map(settings) }];
    this.#do(ip(ownStack, 'netns', 'del', namespace), ...undo);
    this.stacks.delete(namespace);
  }

  /** Sets values; skips those that are already as wanted. */
  set(namespace: string, wanted: Settings): void {
    const { settings } = this.#stack(namespace);
    const changed = new Map([...wanted].filter(([file, value]) => settings.get(file) !== value));
    if (changed.size === 0) return;
    const before = new Map([...settings].filter(([file]) => changed.has(file)));
    this.#do({ namespace, settings: changed }, { namespace, settings: before });
    for (const [file, value] of changed) settings.set(file, value);
  }

  /** Adds one device, or both ends of a pair at once; each end must name the other as its peer. */
  addDevices(devices: Devices): void {
    const { namespace: first, link: firstLink } = devices[0];
    this.#do(addDevices(devices), ip(first, 'link', 'del', firstLink.name));
    for (const { namespace, link } of devices) {
      this.#stack(namespace).links.set(link.name, link);
      // A table keeps its rules for an interface that has gone, but not its hook there.
      if (this.#stack(namespace).portRules !== undefined) this.#stack(namespace).portRules = [];
    }
  }

  /** Removes an interface that has no addresses, and the other end of its pair. */
  removeLink(place: Place): void {
    this.#do(ip(place.namespace, 'link', 'del', place.name), ...this.#remakeLink(place));
    for (const end of this.#endsOf(place)) this.#forgetLink(end);
  }

  /**
   * As `removeLink`, for interfaces of one namespace: the kernel waits for everybody who may still use an interface,
   * once for each command.
   */
  removeLinks(places: readonly Place[]): void {
    const [first, ...others] = places;
    if (first === undefined) return;
    if (others.length === 0) {
      this.removeLink(first);
      return;
    }
    const { namespace } = first;
    const inGroup = (name: string, group: string | number) => ip(namespace, 'link', 'set', name, 'group', group);
    for (const { name } of places) this.#do(inGroup(name, leavingGroup), inGroup(name, 'default'));
    const undo = places.toReversed().flatMap((place) => this.#remakeLink(place));
    this.#do(ip(namespace, 'link', 'del', 'group', leavingGroup), ...undo);
    for (const place of places) for (const end of this.#endsOf(place)) this.#forgetLink(end);
  }

  #endsOf(place: Place): Place[] {
    const { peer } = this.#link(place);
    return peer === undefined ? [place] : [place, peer];
  }

  #remakeLink(place: Place): Step[] {
    const [own, ...others] = this.#endsOf(place).map(
      (end): Device => ({ namespace: end.namespace, link: this.#link(end) }),
    );
    return [addDevices([own!, ...others]), ...this.#endsOf(place).flatMap((end) => this.#restoreLink(end))];
  }

  changeLink(place: Place, change: Partial<Pick<Link, 'mtu' | 'mac' | 'up' | 'multicast'>>): void {
    const link = this.#link(place);
    const words = ({ mtu, mac, up, multicast }: typeof change) => [
      ...(mtu === undefined ? [] : ['mtu', mtu]),
      ...(mac === undefined ? [] : ['address', mac]),
      ...(multicast === undefined ? [] : ['multicast', multicast ? 'on' : 'off']),
      ...(up === undefined ? [] : [up ? 'up' : 'down']),
    ];
    const found = { multicast: false, ...link };
    const before = Object.fromEntries(Object.keys(change).map((key) => [key, found[key as keyof typeof change]]));
    const set = (values: typeof change) => ip(place.namespace, 'link', 'set', place.name, ...words(values));
    this.#do(set(change), set(before), ...this.#loseIpv6(place, link.mtu, change.mtu));
    this.#putLink(place, { ...link, ...change });
  }

  /** Changes what only the kind of a tunnel knows how to change. */
  adjustLink(place: Place, { commands, link }: Adjustment): void {
    this.commands.push(...commands);
    this.#putLink(place, link);
  }

  /**
   * Records that the kernel drops the IPv6 settings below a certain MTU; when they return they have the node's values.
   * Returns the steps that undo this.
   */
  #loseIpv6({ namespace, name }: Place, before: number, after = before): Step[] {
    if (hasIpv6At(before) === hasIpv6At(after)) return [];
    const { settings } = this.#stack(namespace);
    const lost = [...settings].filter(([file]) => file.startsWith(`ipv6/conf/${name}/`));
    for (const [file] of lost) settings.delete(file);
    return lost.length === 0 ? [] : [{ namespace, settings: new Map(lost) }];
  }

  addAddress(place: Place, address: Address): void {
    const link = this.#link(place);
    this.#do(addressStep('add', place, address), addressStep('del', place, address));
    this.#putLink(place, { ...link, addresses: [...link.addresses, address] });
    if (address.bare) return;
    const route = connectedRoute(place.name, address);
    this.#stack(place.namespace).routes.set(routeKey(route), route);
  }

  removeAddress(place: Place, address: Address): void {
    const link = this.#link(place);
    this.#do(addressStep('del', place, address), addressStep('add', place, address));
    this.#putLink(place, { ...link, addresses: link.addresses.filter((other) => other !== address) });
    if (place.namespace === ownStack) this.#forgetForwards(address.address);
    this.#forgetRoutes(
      place.namespace,
      ({ protocol, source }) => protocol === kernelProtocol && source === address.address,
    );
  }

  putNeighbour(place: Place, neighbour: Neighbour): void {
    const link = this.#link(place);
    const before = link.neighbours.find(({ address }) => address === neighbour.address);
    const undo =
      before === undefined ? neighbourStep('del', place, neighbour) : neighbourStep('replace', place, before);
    this.#do(neighbourStep('replace', place, neighbour), undo);
    this.#putLink(place, { ...link, neighbours: [...link.neighbours.filter((other) => other !== before), neighbour] });
  }

  removeNeighbour(place: Place, neighbour: Neighbour): void {
    const link = this.#link(place);
    this.#do(neighbourStep('del', place, neighbour), neighbourStep('replace', place, neighbour));
    this.#putLink(place, { ...link, neighbours: link.neighbours.filter((other) => other !== neighbour) });
  }

  addRoute(namespace: string, route: KernelRoute): void {
    this.#do(routeStep('add', namespace, route), routeStep('del', namespace, route));
    this.#stack(namespace).routes.set(routeKey(route), route);
  }

  /** Adds entries that differ in nothing but their prefix, by their keys; at least one. */
  addRoutes(namespace: string, added: ReadonlyMap<string, KernelRoute>): void {
    const prefixes = [...added.values()].map(({ prefix }) => prefix);
    const [common] = added.values();
    const step = (action: 'add' | 'del') => manyRoutesStep(action, namespace, prefixes, common!);
    this.#do(step('add'), step('del'));
    const { routes } = this.#stack(namespace);
    for (const [key, route] of added) routes.set(key, route);
  }

  replaceRoute(namespace: string, before: KernelRoute, route: KernelRoute): void {
    this.#do(routeStep('replace', namespace, route), routeStep('replace', namespace, before));
    this.#stack(namespace).routes.set(routeKey(route), route);
  }

  /** `key`: the key in the state; several routes may have the same `routeKey`. */
  removeRoute(namespace: string, key: string, route: KernelRoute): void {
    const put = key === routeKey(route) ? 'prepend' : 'append';
    this.#do(routeStep('del', namespace, route), routeStep(put, namespace, route));
    this.#stack(namespace).routes.delete(key);
  }

  addNexthop(nexthop: SingleNexthop): void {
    this.#do(nexthopStep('add', nexthop), removeNexthopStep(nexthop.id));
    this.nexthops.set(nexthop.id, nexthop);
  }

  replaceNexthop(before: SingleNexthop, nexthop: SingleNexthop): void {
    this.#do(nexthopStep('replace', nexthop), nexthopStep('replace', before));
    this.nexthops.set(nexthop.id, nexthop);
  }

  removeNexthop(nexthop: SingleNexthop): void {
    this.#do(removeNexthopStep(nexthop.id), nexthopStep('add', nexthop));
    this.nexthops.delete(nexthop.id);
  }

  putGroup(before: NexthopGroup | undefined, group: NexthopGroup): void {
    this.commands.push(...putGroup(before, group));
    this.nexthops.set(group.id, group);
  }

  removeGroup(group: NexthopGroup): void {
    this.commands.push(...dropGroup(group));
    this.nexthops.delete(group.id);
  }

  /** Creates or changes a gate. Packets that an existing gate holds stay in it. */
  putGate(place: Place, gate: Gate): void {
    const { namespace, name } = place;
    const link = this.#link(place);
    const undo =
      link.gate === undefined
        ? tc(namespace, 'qdisc', 'del', 'dev', name, 'root')
        : tc(namespace, ...bucketWords(name, link.gate));
    this.#do(tc(namespace, ...bucketWords(name, gate)), undo);
    this.#putLink(place, { ...link, gate });
  }

  /**
   * Adds a hook. While the kernel adds or removes one, it takes the queue from an interface that is up, waits for all
   * users of the queue, and drops outgoing packets for some ms. So a hook is added with its interface, before that is
   * up, and goes with it.
   */
  addHook(place: Place): void {
    const { namespace, name } = place;
    this.#do(tc(namespace, ...hookWords('add', name)), tc(namespace, ...hookWords('del', name)));
    this.#putLink(place, { ...this.#link(place), hook: true });
  }

  /** Adds a redirect to an interface that has a hook. */
  addRedirect(place: Place, target: string): void {
    const { namespace, name } = place;
    this.#do(tc(namespace, ...redirectWords(name, target)), tc(namespace, ...noRedirectWords(name)));
    this.#putLink(place, { ...this.#link(place), redirect: target });
  }

  removeRedirect(place: Place): void {
    const { namespace, name } = place;
    const { redirect = '', ...link } = this.#link(place);
    this.#do(tc(namespace, ...noRedirectWords(name)), tc(namespace, ...redirectWords(name, redirect)));
    this.#putLink(place, link);
  }

  /** Lets packets that a device holds get through before it goes; they need `moreMs` longer than usual. */
  settle({ namespace }: Place, moreMs = 0): void {
    this.#do({ namespace, settleMs: settleMs + moreMs });
  }

  /** Waits until a routing daemon listens at the interfaces. */
  awaitListeners(namespace: string, listeners: readonly string[]): void {
    if (listeners.length > 0) this.#do({ namespace, listeners });
  }

  /** Changes what becomes of OSPF packets. `device`: the one of their gate, which must exist. */
  putControl(device: Place, control: Control | undefined): void {
    const { namespace } = device;
    const stack = this.#stack(namespace);
    const before = stack.control;
    const [from, to] = [controlEntries(before, stack.links), controlEntries(control, stack.links)];
    const entry = (action: 'replace' | 'del', name: string, { mac, remote }: ControlEntry) =>
      entryStep(action, { namespace, name }, mac, remote);
    for (const [name, wanted] of to) {
      const found = from.get(name);
      if (found?.mac === wanted.mac && found.remote === wanted.remote) continue;
      this.#do(entry('replace', name, wanted), entry(found === undefined ? 'del' : 'replace', name, found ?? wanted));
    }
    const lines = (which: Control | undefined) => nft(namespace, controlLines(device, stack.links, which));
    this.#do(lines(control), lines(before));
    for (const [name, found] of from)
      if (!to.has(name)) this.#do(entry('del', name, found), entry('replace', name, found));
    delete stack.control;
    delete stack.controlCounts;
    if (control !== undefined) stack.control = control;
  }

  addRule(direction: RuleDirection): void {
    this.#do(ruleStep('add', direction, this.policy), ruleStep('del', direction, this.policy));
    this.rules.add(direction);
  }

  removeRule(direction: RuleDirection): void {
    this.#do(ruleStep('del', direction, this.policy), ruleStep('add', direction, this.policy));
    this.rules.delete(direction);
  }

  /** Needs no command: no kernel has forwards. */
  putForward(forward: ForwardSide): void {
    this.forwards.set(forwardKey(forward), forward);
    this.#forwardChanges += 1;
  }

  removeForward(key: string): void {
    this.forwards.delete(key);
    this.#forwardChanges += 1;
  }

  /** Starts the daemon, or gives a running one another configuration. */
  putDaemon(namespace: string, daemon: Daemon, graceful = false): void {
    const before = this.daemons.get(namespace)?.daemon ?? null;
    this.#do({ namespace, daemon, ...(graceful ? { graceful } : {}) }, { namespace, daemon: before });
    this.daemons.set(namespace, { daemon, kind: daemon.kind, state: 'running', restarts: 0, processes: [] });
  }

  /** Ends the daemon; its routes go with it, and return with it. One that is stopped may run elsewhere by now. */
  removeDaemon(namespace: string): void {
    const { daemon, state } = this.daemons.get(namespace)!;
    this.#do({ namespace, daemon: null }, ...(state === 'moving' ? [] : [{ namespace, daemon }]));
    this.daemons.delete(namespace);
    this.#forgetRoutes(namespace, ({ protocol }) => isDaemonRoute({ protocol: protocolName(protocol) }));
  }

  /** Ends the daemon; its routes stay. */
  leaveDaemon(namespace: string): void {
    const { daemon } = this.daemons.get(namespace)!;
    this.#do({ namespace, daemon: null, graceful: true }, { namespace, daemon, graceful: true });
    this.daemons.delete(namespace);
  }

  /** Starts the machine, or another one in its place. `incoming`: it waits for a copy of another node's. */
  putMachine(namespace: string, machine: Machine, incoming?: true): void {
    const before = this.machines.get(namespace)?.machine ?? null;
    const how = incoming === undefined ? {} : { incoming };
    this.#do({ namespace, machine, ...how }, { namespace, machine: before });
    const state = incoming === undefined ? 'running' : 'moving';
    this.machines.set(namespace, { machine, state, restarts: 0, answers: false });
  }

  /** Ends the machine. One that stands still may run elsewhere by now. */
  removeMachine(namespace: string): void {
    const { machine, state } = this.machines.get(namespace)!;
    this.#do({ namespace, machine: null }, ...(state === 'moving' ? [] : [{ namespace, machine }]));
    this.machines.delete(namespace);
  }

  /** Changes in one transaction what becomes of packets between links and the machine. */
  putPorts(namespace: string, ports: Ports | undefined): void {
    const stack = this.#stack(namespace);
    const before = portsIn(stack.portRules, this.machines.get(namespace)?.machine);
    this.#do(nft(namespace, portLines(ports)), nft(namespace, portLines(before)));
    delete stack.portRules;
    if (ports !== undefined) stack.portRules = ruleNames(ports);
  }

  /**
   * Changes the filter in one transaction, which another one undoes. `before`: before all commands of the draft so far.
   */
  changeFilter(from: TunnelFilter, to: TunnelFilter, when: 'before' | 'after'): void {
    const [lines, back] = [filterLines(this.policy, from, to), filterLines(this.policy, to, from)];
    this.filter = to;
    if (lines.length === 0) return;
    const command = { do: nft(ownStack, lines), undo: back.length === 0 ? [] : [nft(ownStack, back)] };
    if (when === 'before') this.commands.unshift(command);
    else this.commands.push(command);
  }

  #do(step: Step, ...undo: Step[]): void {
    this.commands.push({ do: step, undo });
  }

  #stack(namespace: string): DraftStack {
    return this.stacks.get(namespace)!;
  }

  #link({ namespace, name }: Place): Link {
    return this.#stack(namespace).links.get(name)!;
  }

  #putLink({ namespace, name }: Place, link: Link): void {
    this.#stack(namespace).links.set(name, link);
  }

  /** Removes what the kernel removes with an interface. */
  #forgetLink({ namespace, name }: Place): void {
    const { links, settings } = this.#stack(namespace);
    links.delete(name);
    this.#forgetRoutes(namespace, ({ nexthops }) => nexthops.some((hop) => hop.interface === name));
    for (const file of settings.keys()) if (isSettingOf(file, name)) settings.delete(file);
  }

  /** A forward goes with its address. */
  #forgetForwards(gone: string): void {
    for (const [key, { address }] of this.forwards) if (address === gone) this.forwards.delete(key);
  }

  #forgetRoutes(namespace: string, isGone: (route: KernelRoute) => boolean): void {
    const { routes } = this.#stack(namespace);
    for (const [key, route] of routes) if (isGone(route)) routes.delete(key);
  }

  #restoreLink({ namespace, name }: Place): Step[] {
    const { up, gate, hook } = this.#link({ namespace, name });
    const own = [...this.#stack(namespace).settings].filter(([file]) => isSettingOf(file, name));
    return [
      ...(hook ? [tc(namespace, ...hookWords('add', name))] : []),
      ...(own.length === 0 ? [] : [{ namespace, settings: new Map(own) }]),
      ...(up ? [ip(namespace, 'link', 'set', name, 'up')] : []),
      ...(gate === undefined ? [] : [tc(namespace, ...bucketWords(name, gate))]),
    ];
  }
}

/** What the rules say; of rules that are not whole, and of another machine's, nothing is known. */
function portsIn(rules: readonly string[] | undefined, machine: Machine | undefined): Ports | undefined {
  if (rules === undefined || machine === undefined) return undefined;
  const { ports } = machine;
  const state = portState(ports, rules);
  return state === 'damaged' ? undefined : { ports, state };
}

interface ControlEntry {
  readonly mac: string;
  readonly remote: string;
}

/** The entries that lead copies of OSPF packets to the other place, by tunnel. */
function controlEntries(control: Control | undefined, links: Stack['links']): Map<string, ControlEntry> {
  const { sendTo: remote, tunnels = [] } = control ?? {};
  if (remote === undefined) return new Map();
  return new Map(
    tunnels.flatMap((name) => {
      const mac = links.get(name)?.mac;
      return mac === undefined ? [] : [[name, { mac, remote }] as const];
    }),
  );
}
