/** A VXLAN device with one VNI and one remote, which learns nothing. */
import { containsAddress, parseAddress } from '../../../../model/address.ts';
import { VnmError } from '../../../../model/errors.ts';
import { tunnelKinds } from '../../../../model/tunnel.ts';
import { bridge, type Command, ip, newDevice, type Step } from '../commands.ts';
import {
  describePlace,
  type Link,
  newLink,
  type OwnAddress,
  ownStack,
  type Place,
  placeOf,
  type VxlanEnds,
} from '../state.ts';
import type { KernelTunnel, TunnelUp } from './kind.ts';

export const vxlan: KernelTunnel<'vxlan'> = {
  device: 'vxlan',
  devices: 1,
  trials: [`link add vx type vxlan id 1 dstport ${tunnelKinds.vxlan.carriedBy.port} remote 192.0.2.1 nolearning`],

  plan(operation, { ownAddresses }) {
    const { mac, mtu, vni, remote, alsoFrom, alsoMac, port } = operation;
    const { namespace, name } = placeOf(operation);
    checkRemote(ownAddresses, { namespace, name }, remote);
    if (alsoFrom !== undefined) checkRemote(ownAddresses, { namespace, name }, alsoFrom);
    if (alsoMac !== undefined && alsoFrom === undefined) {
      throw new VnmError('invalid-input', `${describePlace({ namespace, name })}: alsoMac needs alsoFrom`);
    }
    const second = { ...(alsoFrom === undefined ? {} : { alsoFrom }), ...(alsoMac === undefined ? {} : { alsoMac }) };
    const ends: VxlanEnds = { vni, remote, ...second, ...sourceOf(ownAddresses, operation), port };
    return [{ namespace, link: { ...newLink(name, 'vxlan', mac, mtu), vxlan: ends } }];
  },

  /**
   * A device keeps its socket in the stack where it is created, which must be the node's own, even if it is then used
   * elsewhere.
   */
  make([device]) {
    const { vni, remote, local, port } = device.link.vxlan!;
    const source = local === undefined ? [] : ['local', local];
    const words = ['id', vni, 'dstport', port, 'remote', remote, ...source, 'nolearning', 'ttl', 64];
    return ip(ownStack, 'link', 'add', ...newDevice(device), 'type', 'vxlan', ...words);
  },

  read({ id: vni, remote, local, port }) {
    if (vni === undefined || remote === undefined || port === undefined) return {};
    return { vxlan: { vni, remote, ...(local === undefined ? {} : { local }), port } };
  },

  describe({ vxlan: ends }) {
    return ends === undefined ? 'a vxlan' : `a vxlan with VNI ${ends.vni} to ${ends.remote}:${ends.port}`;
  },

  isSame: ({ vxlan: one }, { vxlan: other }) =>
    one !== undefined && other !== undefined && one.vni === other.vni && one.port === other.port,

  properties: ({ vxlan: ends }) => [`source ${ends?.local ?? 'chosen by the kernel'}`],

  /**
   * Changes the source address, and flips the tunnel to another remote. A tunnel of an agent of an earlier version
   * leaves the source to the kernel. While it runs it keeps that until a migration replaces it: its packets may not get
   * through from another address.
   */
  adjust(place, existing, { vxlan: wanted }) {
    const before = existing.vxlan;
    if (before === undefined || wanted === undefined) return undefined;
    const { alsoFrom: _, alsoMac: steered, ...kept } = before;
    const local = before.local === undefined ? undefined : wanted.local;
    const { alsoFrom, alsoMac } = wanted;
    const second = { ...(alsoFrom === undefined ? {} : { alsoFrom }), ...(alsoMac === undefined ? {} : { alsoMac }) };
    const after = { ...kept, ...(local === undefined ? {} : { local }), remote: wanted.remote, ...second };
    const source =
      local === undefined || local === before.local
        ? []
        : [{ do: sourceStep(place, local), undo: [sourceStep(place, before.local!)] }];
    const isFlip = before.remote !== after.remote;
    const isMove = before.alsoFrom !== after.alsoFrom;
    if (steered !== undefined || alsoMac !== undefined) {
      const steering = steerCommands(place, before, after);
      return { commands: [...source, ...steering], link: { ...existing, vxlan: after } };
    }
    const flip = isFlip
      ? flipCommands(place, existing, before.remote, after.remote)
      : isMove
        ? withoutEntry(place, existing, after.remote)
        : [];
    return { commands: [...source, ...flip], link: { ...existing, vxlan: after } };
  },

  /** Returns what is unique in the node's own stack, wherever the interface is. */
  claim: ({ vxlan: ends }) => (ends === undefined ? undefined : `VNI ${ends.vni} at port ${ends.port}`),
};

/**
 * Refuses addresses of this node: tunnel packets go to one other host. The policy has already refused addresses that no
 * host can have.
 */
export function checkRemote(ownAddresses: readonly OwnAddress[], place: Place, remote: string): void {
  const found = ownAddresses.find(({ prefix }) => containsAddress(prefix, parseAddress(remote)));
  if (found === undefined) return;
  throw new VnmError('invalid-input', `${describePlace(place)} cannot lead to ${remote}: it is ${found.is}`, {
    hint: "change the other node's `address` in the slice file to one at which this node reaches it",
  });
}

/**
 * Returns the source if it is an address of this node. The node cannot send from an address that a NAT in front of it
 * gives its packets.
 */
function sourceOf(ownAddresses: readonly OwnAddress[], { local }: TunnelUp<'vxlan'>): Pick<VxlanEnds, 'local'> {
  if (local === undefined) return {};
  const address = parseAddress(local);
  return ownAddresses.some(({ prefix, isSource }) => isSource && containsAddress(prefix, address)) ? { local } : {};
}

/**
 * Sends each packet to the one remote or to the other. The kernel adds the new default remote before it removes the old
 * one, and in between sends to both, so an entry for the neighbour's MAC address leads its packets meanwhile. Only
 * broadcast and multicast may be sent twice.
 */
function flipCommands(place: Place, { neighbours: [neighbour] }: Link, from: string, to: string): Command[] {
  const setRemote = { do: remoteStep(place, to), undo: [remoteStep(place, from)] };
  if (neighbour === undefined) return [setRemote];
  const entry = (action: 'replace' | 'del', remote: string) => entryStep(action, place, neighbour.mac, remote);
  return [
    { do: entry('replace', from), undo: [entry('del', from)] },
    setRemote,
    { do: entry('replace', to), undo: [entry('replace', from)] },
    { do: entry('del', to), undo: [entry('replace', to)] },
  ];
}

/**
 * Leads frames for one MAC address to the second remote, or no longer. The default remote changes between the two: the
 * entry leads the frames that matter meanwhile.
 */
function steerCommands(place: Place, before: VxlanEnds, after: VxlanEnds): Command[] {
  const entry = (action: 'replace' | 'del', mac: string, remote: string) => entryStep(action, place, mac, remote);
  const [had, has] = [before.alsoMac, after.alsoMac];
  const isNew = has !== undefined && (has !== had || before.alsoFrom !== after.alsoFrom);
  const isGone = had !== undefined && had !== has;
  const undone = (mac: string) =>
    had === mac ? [entry('replace', mac, before.alsoFrom!)] : [entry('del', mac, after.alsoFrom!)];
  return [
    ...(isNew ? [{ do: entry('replace', has, after.alsoFrom!), undo: undone(has) }] : []),
    ...(before.remote === after.remote
      ? []
      : [{ do: remoteStep(place, after.remote), undo: [remoteStep(place, before.remote)] }]),
    ...(isGone ? [{ do: entry('del', had, before.alsoFrom!), undo: [entry('replace', had, before.alsoFrom!)] }] : []),
  ];
}

/** Removes the entry that a flip leaves if its agent is killed in the middle. */
function withoutEntry(place: Place, { neighbours: [neighbour] }: Link, remote: string): Command[] {
  if (neighbour === undefined) return [];
  const entry = (action: 'replace' | 'del') => entryStep(action, place, neighbour.mac, remote);
  return [
    { do: entry('replace'), undo: [entry('del')] },
    { do: entry('del'), undo: [] },
  ];
}

/** An entry that leads frames for a MAC address to one remote. */
export function entryStep(action: 'replace' | 'del', { namespace, name }: Place, mac: string, remote: string): Step {
  const permanent = action === 'replace' ? ['permanent'] : [];
  return bridge(namespace, 'fdb', action, mac, 'dev', name, 'dst', remote, 'self', ...permanent);
}

function remoteStep({ namespace, name }: Place, remote: string): Step {
  return ip(namespace, 'link', 'set', name, 'type', 'vxlan', 'remote', remote);
}

function sourceStep({ namespace, name }: Place, local: string): Step {
  return ip(namespace, 'link', 'set', name, 'type', 'vxlan', 'local', local);
}
