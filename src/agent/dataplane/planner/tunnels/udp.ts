/** A tunnel of the userspace plane. The kernel has no such devices; its plane refuses the operation before it plans. */
import { createHash } from 'node:crypto';
import { ip } from '../commands.ts';
import { newLink, placeOf } from '../state.ts';
import type { KernelTunnel } from './kind.ts';

export const udp: KernelTunnel<'udp'> = {
  device: 'udp',
  devices: 1,
  trials: [],

  plan(operation) {
    const { mtu, vni, instance, remote, port, key } = operation;
    const { namespace, name } = placeOf(operation);
    return [
      { namespace, link: { ...newLink(name, 'udp', undefined, mtu), udp: { vni, instance, remote, port, key } } },
    ];
  },

  make: ([{ namespace, link }]) => ip(namespace, 'link', 'add', link.name, 'type', 'udp'),

  describe({ udp: ends }) {
    return ends === undefined
      ? 'a UDP tunnel'
      : `a UDP tunnel with number ${ends.vni} of instance ${ends.instance} to ${ends.remote}:${ends.port}`;
  },

  /** Never the key itself. */
  properties: ({ udp: ends }) => [`key ${ends === undefined ? 'none' : digestOf(ends.key)}`],

  adjust(place, existing, { udp: wanted }) {
    const before = existing.udp;
    if (before === undefined || wanted === undefined || before.key === wanted.key) return undefined;
    const step = ip(place.namespace, 'link', 'set', place.name, 'type', 'udp');
    return { command: { do: step, undo: [step] }, link: { ...existing, udp: { ...before, key: wanted.key } } };
  },

  claim: ({ udp: ends }) => (ends === undefined ? undefined : `tunnel number ${ends.vni}`),
};

function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}
