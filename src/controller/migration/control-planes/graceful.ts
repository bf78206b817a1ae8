/**
 * Graceful restart (RFC 3623): the daemon tells its neighbours that it restarts, and ends on the old node without a
 * change of its routes. On the new node it takes over their copies. Its neighbours keep their routes through it until
 * they have exchanged their databases again.
 */
import type { DaemonKind } from '../../../model/daemon.ts';
import { VnmError } from '../../../model/errors.ts';
import type { NodeName, RouterName } from '../../../model/names.ts';
import { type DaemonRouter, daemonRouter } from '../../../model/router.ts';
import type { VirtualNetwork } from '../../../model/slice.ts';
import { type Agents, applyAll } from '../../nodes/agents.ts';
import type { ControlPlaneWay } from './way.ts';

/** The first versions that restart gracefully with OSPF, and wait for neighbours that do. */
const firstVersions: Readonly<Record<DaemonKind, readonly [number, number, number]>> = {
  bird: [2, 0, 8],
  frr: [8, 0, 0],
};

/**
 * A grace LSA has BIRD calculate its routes within a second (its `tick`). If the neighbour has begun its adjacency
 * again by then, BIRD finds no way through it, although it waits for it.
 */
const calculatedMs = 1200;

/** Statements of a user that take from a router what the generated configuration gives it. */
const hindrances: Readonly<Record<DaemonKind, RegExp>> = {
  bird: /\bgraceful\s+restart\s+(off|no|aware)\b/,
  frr: /^\s*no\s+(capability\s+opaque|graceful-restart\b.*)$/m,
};

export const graceful: ControlPlaneWay = {
  name: 'graceful',
  keepsRoutes: true,
  pauseMs: calculatedMs,
  refuse: (vn, agents, router, { to, of }) => {
    const moving = daemonRouter(vn, router)!;
    refuseWithoutOspf(vn, moving);
    for (const one of [moving, ...neighboursOf(vn, router)]) {
      refuseHindrance(one, router);
      refuseVersion(agents, one.kind, one.name === router ? to : of(one.name));
    }
  },
  leave: async (agents, { node, namespace }) => {
    await applyAll(agents, new Map([[node, [{ op: 'daemon_leave', namespace }]]]));
  },
  arrive: async (agents, { node, start }) => {
    await applyAll(agents, new Map([[node, [{ ...start, graceful: true }]]]));
  },
};

const elsewise = 'or use --control-plane restart, which loses packets, or --method instance';

function refuseWithoutOspf({ name, routing }: VirtualNetwork, { name: router, config }: DaemonRouter): void {
  if (routing === undefined) {
    throw unsupported(`VN '${name}' has no routing protocol`, `add routing: { protocol: ospf }, ${elsewise}`);
  }
  if (config.bgp !== undefined || /^\s*(protocol|router)\s+bgp\b/m.test(config.text ?? ''))
    throw unsupported(`router '${router}' also speaks BGP`, `remove its BGP sessions, ${elsewise}`);
}

function neighboursOf(vn: VirtualNetwork, router: RouterName): DaemonRouter[] {
  return vn.links.flatMap(({ from, to }) => {
    const peer = from === router ? to : to === router ? from : undefined;
    return (peer === undefined ? undefined : daemonRouter(vn, peer)) ?? [];
  });
}

function refuseHindrance({ name, kind, config }: DaemonRouter, moving: RouterName): void {
  const [found] = hindrances[kind].exec(config.text ?? '') ?? [];
  if (found === undefined) return;
  const what = name === moving ? 'does not restart gracefully' : `does not wait while router '${moving}' restarts`;
  throw unsupported(
    `router '${name}' ${what}: its config says '${found.trim()}'`,
    `remove that from its config, ${elsewise}`,
  );
}

function refuseVersion(agents: Agents, kind: DaemonKind, node: NodeName): void {
  const feature = agents.get(node).facts.features.find(({ name }) => name === kind);
  const version = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(feature?.detail ?? '');
  if (version === null) return;
  const has = version.slice(1).map((part) => Number(part ?? 0));
  const first = firstVersions[kind];
  const index = first.findIndex((part, position) => has[position] !== part);
  if (index < 0 || has[index]! > first[index]!) return;
  throw unsupported(
    `node '${node}' has ${kind} ${version[0]}, which has no graceful restart for OSPF`,
    `install ${kind} ${first.join('.')} or newer there, ${elsewise}`,
  );
}

function unsupported(why: string, hint: string): VnmError {
  return new VnmError('unsupported', `--control-plane graceful is not possible: ${why}`, { hint });
}
