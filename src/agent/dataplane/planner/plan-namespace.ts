import type { Draft } from './draft.ts';
import { checkLimit, type Named } from './plan-common.ts';
import { takeControlDown } from './plan-control.ts';
import { takeMachineDown } from './plan-machine.ts';
import { clearLink, removeRoutes, takeLinksDown } from './plan-removal.ts';
import { quietEarlierInterface } from './quiet.ts';
import { nexthopSettings, routerSettings } from './settings.ts';
import type { Place } from './state.ts';

export function netnsUp(draft: Draft, { namespace, urpf }: Named<'netns_up'>): void {
  if (!draft.stacks.has(namespace)) {
    checkLimit(draft, 'namespaces', draft.stacks.size - 1);
    draft.addNamespace(namespace);
  }
  const loopback = { namespace, name: 'lo' };
  if (!draft.stacks.get(namespace)!.links.get('lo')!.up) draft.changeLink(loopback, { up: true });
  draft.set(namespace, new Map([...routerSettings(urpf), ...nexthopSettings(draft.daemons.get(namespace)?.kind)]));
  for (const link of draft.stacks.get(namespace)!.links.values()) {
    if (link.name.startsWith(draft.policy.interfacePrefix)) draft.set(namespace, quietEarlierInterface(link));
  }
}

/**
 * Removes everything in the namespace by commands that can be undone; its daemon or machine first, its interfaces last.
 */
export function netnsDown(draft: Draft, { namespace }: Named<'netns_down'>): void {
  if (draft.daemons.has(namespace)) draft.removeDaemon(namespace);
  takeMachineDown(draft, namespace);
  if (!draft.stacks.has(namespace)) return;
  takeControlDown(draft, namespace);
  removeRoutes(draft, namespace, () => true);
  const places: Place[] = [];
  const goneWithPeer = new Set<string>();
  for (const [name, { peer }] of draft.stacks.get(namespace)!.links) {
    const place = { namespace, name };
    if (name === 'lo') clearLink(draft, place, ({ address }) => !address.startsWith('127.'));
    else if (!goneWithPeer.has(name)) places.push(place);
    if (peer?.namespace === namespace) goneWithPeer.add(peer.name);
  }
  takeLinksDown(draft, places);
  draft.removeNamespace(namespace);
}
