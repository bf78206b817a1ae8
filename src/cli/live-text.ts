/** Formats differences between the nodes and the database for people. */

import type { Comparison, NodeDifference } from '../controller/nodes/compare.ts';
import type { DaemonStatus } from '../controller/nodes/daemons.ts';
import type { MachineStatus } from '../controller/nodes/machines.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { objectOf } from '../vsys/difference.ts';
import { table } from './output.ts';
import { toned } from './style.ts';

/** A table with one line per difference; those that `reconcile` does not remove are marked `(stays)`. */
export function differencesText(differences: readonly NodeDifference[], foundHeading = 'on the node'): string {
  const rows = differences.map((difference) => [
    difference.node,
    objectOf(difference),
    difference.wanted ?? 'nothing',
    `${difference.found ?? 'nothing'}${difference.additional ? ' (stays)' : ''}`,
  ]);
  return table(['node', 'object', 'in the database', foundHeading], rows);
}

/** A table with one line per routing daemon. */
export function daemonsText(daemons: readonly DaemonStatus[]): string {
  const rows = daemons.map(({ vn, router, node, kind, version, state, restarts, adjacencies, routes, error }) => {
    const neighbours = adjacencies?.map(
      (one) => `${one.router ?? one.neighbour ?? one.address} ${one.state}${one.protocol === 'bgp' ? ' (bgp)' : ''}`,
    );
    const counts = routes && Object.entries(routes).map(([origin, count]) => `${origin} ${count}`);
    return [
      `${vn}/${router}`,
      node,
      version === undefined ? kind : `${kind} ${version}`,
      state,
      restarts ?? '',
      neighbours?.join(', ') ?? error ?? '',
      counts?.join(', ') ?? '',
    ];
  });
  return table(['router', 'node', 'daemon', 'state', 'restarts', 'neighbours', 'routes'], rows);
}

/** A table with one line per virtual machine. */
export function machinesText(machines: readonly MachineStatus[]): string {
  const rows = machines.map(({ vn, router, node, memoryMib, state, restarts, answers, error }) => [
    `${vn}/${router}`,
    node,
    `${memoryMib} MiB`,
    state,
    restarts ?? '',
    answers === undefined ? '' : answers ? 'yes' : 'no',
    error ?? '',
  ]);
  return table(['router', 'node', 'memory', 'state', 'restarts', 'answers', 'note'], rows);
}

/** A line for each node that is unreachable or where the command failed. */
export function failureTexts({ unreachable, failed }: Pick<Comparison, 'unreachable' | 'failed'>): string[] {
  return [
    ...unreachable.map(({ node, message }) => `${node}: ${toned('bad', 'unreachable')}: ${message}`),
    ...failed.map(({ node, message }) => `${node}: ${toned('bad', 'failed')}: ${message}`),
  ];
}

/** An unreachable node takes precedence over what was found on the others. */
export function comparisonExitCode(
  { unreachable, failed }: Pick<Comparison, 'unreachable' | 'failed'>,
  isFine: boolean,
) {
  if (unreachable.length > 0) return exitCodes.unreachable;
  return failed.length > 0 || !isFine ? exitCodes.failed : exitCodes.done;
}
