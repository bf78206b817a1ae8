/** A tunnel of the userspace plane. The kernel has no such devices; its plane refuses the operation before it plans. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ip } from '../commands.ts';
import { newLink, placeOf } from '../state.ts';
import type { KernelTunnel } from './kind.ts';

export const udp: KernelTunnel<'udp'> = {
  device: 'udp',
  devices: 1,
  trials: [],

  plan(operation) {
    const { mtu, vni, instance, remote, port, key, alsoFrom } = operation;
    const { namespace, name } = placeOf(operation);
    const ends = { vni, instance, remote, port, key, ...(alsoFrom === undefined ? {} : { alsoFrom }) };
    return [{ namespace, link: { ...newLink(name, 'udp', undefined, mtu), udp: ends } }];
  },

  make: ([{ namespace, link }]) => ip(namespace, 'link', 'add', link.name, 'type', 'udp'),

  describe({ udp: ends }) {
    return ends === undefined
      ? 'a UDP tunnel'
      : `a UDP tunnel with number ${ends.vni} of instance ${ends.instance} to ${ends.remote}:${ends.port}`;
  },

  isSame: ({ udp: one }, { udp: other }) =>
    one !== undefined && other !== undefined && one.vni === other.vni && one.instance === other.instance,

  /** Never the key itself. */
  properties: ({ udp: ends }) => [
    `key ${ends === undefined ? 'none' : digestOf(ends.key)}`,
    `second sender ${ends?.alsoFrom === undefined ? 'none' : `${ends.alsoFrom.address}:${ends.alsoFrom.port}`}`,
  ],

  adjust(place, existing, { udp: wanted }) {
    if (existing.udp === undefined || wanted === undefined || isDeepStrictEqual(existing.udp, wanted)) return undefined;
    const step = ip(place.namespace, 'link', 'set', place.name, 'type', 'udp');
    return { commands: [{ do: step, undo: [step] }], link: { ...existing, udp: wanted } };
  },

  claim: ({ udp: ends }) => (ends === undefined ? undefined : `tunnel number ${ends.vni}`),
};

function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}
