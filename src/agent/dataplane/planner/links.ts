/** Devices of any kind, tunnels and others. Pure. */
import { type Devices, ip, newDevice, type Step } from './commands.ts';
import { type Link, ownStack } from './state.ts';
import { tunnelOf } from './tunnels/registry.ts';

/** Creates a device, or a pair. */
export function addDevices(devices: Devices): Step {
  const { link } = devices[0];
  return tunnelOf(link)?.make(devices) ?? ip(ownStack, 'link', 'add', ...newDevice(devices[0]), 'type', link.kind);
}

/** Describes everything that identifies a device. */
export function describeLink(link: Link): string {
  const { kind, gate } = link;
  if (gate !== undefined) return gate.closed ? 'a closed gate' : 'an open gate';
  return tunnelOf(link)?.describe(link) ?? (kind === '' ? 'hardware' : `a ${kind}`);
}
