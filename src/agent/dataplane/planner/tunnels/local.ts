/** A veth pair between two stacks of the node. Each end names the other, so both exist or neither. */
import { ip, newDevice } from '../commands.ts';
import { describeStack, newLink, ownStack, placeOf } from '../state.ts';
import type { KernelTunnel } from './kind.ts';

export const local: KernelTunnel<'local'> = {
  device: 'veth',
  devices: 2,
  trials: [],

  plan(operation) {
    const place = placeOf(operation);
    const peer = placeOf(operation.peer);
    const { mac, mtu } = operation;
    return [
      { namespace: place.namespace, link: { ...newLink(place.name, 'veth', mac, mtu), peer } },
      { namespace: peer.namespace, link: { ...newLink(peer.name, 'veth', operation.peer.mac, mtu), peer: place } },
    ];
  },

  make([device, peer]) {
    return ip(ownStack, 'link', 'add', ...newDevice(device!), 'type', 'veth', 'peer', 'name', ...newDevice(peer!));
  },

  describe({ peer }) {
    if (peer === undefined) return "a pair whose other end is not the slice's";
    return `a pair with '${peer.name}'${describeStack(peer.namespace)}`;
  },
};
