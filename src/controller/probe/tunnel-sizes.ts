/** Finds with packets how large packets each tunnel really carries: the MTU of interfaces is only the upper limit. */

import { VnmError } from '../../model/errors.ts';
import type { NamespaceName, NodeName } from '../../model/names.ts';
import { imageRouter } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import { joinsNodes } from '../../model/tunnel.ts';
import type { Instance, LinkEnd } from '../../planning/instance.ts';
import type { AccessLink } from '../../planning/vn-plan.ts';
import type { Context } from '../base/context.ts';
import { namespaceOf } from '../batches/operations.ts';
import type { Agents } from '../nodes/agents.ts';

interface End {
  readonly node: NodeName;
  readonly namespace?: NamespaceName;
  readonly address: string;
}

/** A tunnel between two nodes. The first end tries it; if that finds nothing, the other end does. */
export interface Tunnel {
  readonly name: string;
  readonly ends: readonly [End, End];
  /** Present if only this end can try. */
  readonly onlyFrom?: 0 | 1;
}

export interface TunnelSize {
  /** `router a on n1 and gateway g on gw1`. */
  readonly name: string;
  /** Size of the largest packets that pass both ways; undefined if nothing answers. */
  readonly bytes: number | undefined;
}

/** Much smaller than the packets of any useful tunnel. */
const smallestBytes = 128;
const timeoutMs = 1500;
/** The most probes in one request. */
const maxProbes = 1024;

/**
 * The tunnels of an instance, each with the index of its link. A gateway tries towards its router, in whose namespace
 * the node's firewall has no effect. A virtual machine cannot try, so tunnels between two of them are left out.
 */
export function tunnelsOf(
  vn: Pick<VirtualNetwork, 'routers'>,
  instance: Instance,
  agents: Agents,
): (Tunnel & { readonly link: number })[] {
  const isGuest = ({ router }: LinkEnd) => router !== undefined && imageRouter(vn, router) !== undefined;
  const nameOf = ({ router, gateway, node }: LinkEnd) =>
    router === undefined ? `gateway ${gateway} on ${node}` : `router ${router} on ${node}`;
  const endOf = ({ router, node, address }: LinkEnd): End => ({
    node,
    address,
    ...(router === undefined ? {} : { namespace: namespaceOf(instance, router, agents) }),
  });
  return instance.links.flatMap(({ tunnel, a, b }, link) =>
    joinsNodes(tunnel) && !(isGuest(a) && isGuest(b))
      ? [
          {
            name: `${nameOf(a)} and ${nameOf(b)}`,
            ends: [endOf(a), endOf(b)],
            link,
            ...(isGuest(a) ? { onlyFrom: 1 as const } : isGuest(b) ? { onlyFrom: 0 as const } : {}),
          },
        ]
      : [],
  );
}

export function accessTunnels(access: readonly AccessLink[]): Tunnel[] {
  return access.map(({ endHost, gateway, hostEnd, gatewayEnd }) => ({
    name: `end host ${endHost} on ${hostEnd.node} and gateway ${gateway} on ${gatewayEnd.node}`,
    ends: [hostEnd, gatewayEnd],
  }));
}

/** Measures the largest packets of at most `largest` bytes that each tunnel carries, all tunnels in parallel. */
export async function measureTunnels(
  agents: Agents,
  tunnels: readonly Tunnel[],
  largest: number,
): Promise<TunnelSize[]> {
  const first = await sizesFrom(agents, tunnels, largest, ([own, peer]) => [own, peer]);
  const open = tunnels.filter((_, index) => first[index] === undefined);
  const second = await sizesFrom(agents, open, largest, ([peer, own]) => [own, peer]);
  return tunnels.map((tunnel, index) => ({
    name: tunnel.name,
    bytes: first[index] ?? second[open.indexOf(tunnel)],
  }));
}

async function sizesFrom(
  agents: Agents,
  tunnels: readonly Tunnel[],
  largest: number,
  directed: (ends: Tunnel['ends']) => readonly [own: End, peer: End],
): Promise<(number | undefined)[]> {
  const asked = tunnels
    .map(({ ends, onlyFrom }, index) => ({
      index,
      ends: directed(ends),
      only: onlyFrom === undefined ? undefined : ends[onlyFrom],
    }))
    .filter(({ ends: [own], only }) => only === undefined || only === own);
  const sizes: (number | undefined)[] = tunnels.map(() => undefined);
  const byNode = Map.groupBy(asked, ({ ends: [own] }) => own.node);
  await Promise.all(
    [...byNode].map(async ([node, questions]) => {
      if (agents.missing.has(node)) return;
      for (let start = 0; start < questions.length; start += maxProbes) {
        const some = questions.slice(start, start + maxProbes);
        const probes = some.map(({ ends: [{ namespace, address }, peer] }) => ({
          ...(namespace === undefined ? {} : { namespace }),
          from: address,
          to: peer.address,
        }));
        const found = await sizesAt(agents, node, probes, largest);
        some.forEach(({ index }, place) => {
          sizes[index] = found[place] ?? undefined;
        });
      }
    }),
  );
  return sizes;
}

/** Measures packet sizes from one node; null if unknown, also when a policy forbids the agent to measure. */
export async function sizesAt(
  agents: Agents,
  node: NodeName,
  probes: readonly { namespace?: NamespaceName; from: string; to: string }[],
  largest: number,
): Promise<(number | null)[]> {
  try {
    const request = { probes: [...probes], smallest: Math.min(smallestBytes, largest), largest, timeoutMs };
    return (await agents.get(node).call('packet_sizes', request)).sizes;
  } catch (error) {
    if (error instanceof VnmError && error.code === 'forbidden') return probes.map(() => null);
    throw error;
  }
}

/** The tunnels that carry less than `bytes`, the narrowest first. */
export function narrowerThan(sizes: readonly TunnelSize[], bytes: number): (TunnelSize & { readonly bytes: number })[] {
  return sizes
    .flatMap((size) => (size.bytes === undefined ? [] : [{ ...size, bytes: size.bytes }]))
    .filter((size) => size.bytes < bytes)
    .sort((a, b) => a.bytes - b.bytes);
}

export function noteUnknown(context: Pick<Context, 'report'>, sizes: readonly TunnelSize[], mtu: number): void {
  const unknown = sizes.filter(({ bytes }) => bytes === undefined).map(({ name }) => name);
  if (unknown.length === 0) return;
  const text = `unknown whether packets of ${mtu} bytes get through, since nothing answers: between ${unknown.join('; between ')}`;
  context.report({ kind: 'note', text });
}

export function describeSizes(sizes: readonly { name: string; bytes: number }[]): string {
  return sizes.map(({ name, bytes }) => `${bytes} bytes between ${name}`).join('; ');
}
