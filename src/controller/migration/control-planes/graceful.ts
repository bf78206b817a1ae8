/**
 * Graceful restart (RFC 3623): the daemon tells its neighbours that it restarts, and ends on the old node without a
 * change of its routes. On the new node it takes over their copies. Its neighbours keep their routes through it until
 * they have exchanged their databases again.
 */
import type { DaemonKind } from '../../../model/daemon.ts';
import type { VnmError } from '../../../model/errors.ts';
import type { RouterName } from '../../../model/names.ts';
import { type DaemonRouter, daemonRouter } from '../../../model/router.ts';
import type { VirtualNetwork } from '../../../model/slice.ts';
import type { NodeFacts } from '../../../vsys/messages.ts';
import { applyAll } from '../../nodes/agents.ts';
import { notPossible, type RestartingWay, speaksBgp, versionOn } from './way.ts';

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

export const graceful: RestartingWay = {
  name: 'graceful',
  keepsRoutes: true,
  pauseMs: calculatedMs,
  lacks,
  refuse: (vn, agents, router, { to, of }) => {
    const moving = daemonRouter(vn, router)!;
    refuseWithoutOspf(vn, moving);
    for (const one of [moving, ...neighboursOf(vn, router)]) {
      refuseHindrance(one, router);
      const node = one.name === router ? to : of(one.name);
      const lack = lacks(agents.get(node).facts, one.kind);
      if (lack === undefined) continue;
      const first = `${one.kind} ${firstVersions[one.kind].join('.')}`;
      throw unsupported(`node '${node}' ${lack}`, `install ${first} or newer there, ${elsewise}`);
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

function refuseWithoutOspf({ name, routing }: VirtualNetwork, moving: DaemonRouter): void {
  if (routing === undefined) {
    throw unsupported(`VN '${name}' has no routing protocol`, `add routing: { protocol: ospf }, ${elsewise}`);
  }
  if (speaksBgp(moving))
    throw unsupported(`router '${moving.name}' also speaks BGP`, `remove its BGP sessions, ${elsewise}`);
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

/** A node that does not say its version is not refused. */
function lacks(facts: NodeFacts, kind: DaemonKind): string | undefined {
  const version = versionOn(facts, kind);
  if (version === undefined) return undefined;
  const has = version.split('.').map((part) => Number.parseInt(part, 10));
  const first = firstVersions[kind];
  const index = first.findIndex((part, position) => (has[position] ?? 0) !== part);
  if (index < 0 || (has[index] ?? 0) > first[index]!) return undefined;
  return `has ${kind} ${version}, which has no graceful restart for OSPF`;
}

function unsupported(why: string, hint: string): VnmError {
  return notPossible('graceful', why, hint);
}
