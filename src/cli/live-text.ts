/** What on the nodes is not as the database says, for people. */
import type { Comparison, NodeDifference } from '../controller/nodes/compare.ts';
import { exitCodes } from '../model/exit-codes.ts';
import { objectOf } from '../vsys/difference.ts';
import { table } from './output.ts';

/** One line each; what `reconcile` leaves is marked. */
export function differencesText(differences: readonly NodeDifference[], there = 'there is'): string {
  const rows = differences.map((difference) => [
    difference.node,
    objectOf(difference),
    difference.wanted ?? 'nothing',
    `${difference.found ?? 'nothing'}${difference.additional ? ' (stays)' : ''}`,
  ]);
  return table(['node', 'object', 'the database says', there], rows);
}

/** Nodes that are unreachable, and those that could not do it. */
export function failureTexts({ unreachable, failed }: Pick<Comparison, 'unreachable' | 'failed'>): string[] {
  return [
    ...unreachable.map(({ node, message }) => `${node}: unreachable: ${message}`),
    ...failed.map(({ node, message }) => `${node}: failed: ${message}`),
  ];
}

/** A node that is unreachable counts more than what was found elsewhere. */
export function comparisonExitCode(
  { unreachable, failed }: Pick<Comparison, 'unreachable' | 'failed'>,
  isFine: boolean,
) {
  if (unreachable.length > 0) return exitCodes.unreachable;
  return failed.length > 0 || !isFine ? exitCodes.failed : exitCodes.done;
}
