/**
 * Counts what the neighbours of a moving router with a routing daemon, or of one that is a virtual machine, notice:
 * changes of their adjacency with it.
 */
import type { RouterName } from '../../model/names.ts';
import { daemonRouter, imageRouter } from '../../model/router.ts';
import { routerId } from '../../planning/daemons/router-id.ts';
import { namespaceOf } from '../batches/operations.ts';
import { neighboursOf } from './recovered.ts';
import type { NeighbourEvents, Run } from './types.ts';

export interface EventCounter {
  begin(): Promise<void>;
  /** The events since `begin`; nothing without it. */
  read(): Promise<NeighbourEvents[]>;
}

export function countEvents(run: Run, router: RouterName): EventCounter {
  const { agents, slice, vn, old } = run;
  const neighbours =
    daemonRouter(vn, router) === undefined && imageRouter(vn, router) === undefined ? [] : neighboursOf(run, router);
  let before: readonly number[] | undefined;

  const counts = (): Promise<number[]> =>
    Promise.all(
      neighbours.map(async (neighbour) => {
        const agent = agents.get(old.instance.placement.get(neighbour)!);
        const namespace = namespaceOf(old.instance, neighbour, agents);
        const { events } = await agent.call('neighbour_events', { namespace });
        return events[routerId(slice, vn, router)] ?? 0;
      }),
    );

  return {
    begin: async () => {
      before = await counts();
    },
    read: async () => {
      if (before === undefined) return [];
      const now = await counts();
      return neighbours.map((neighbour, index) => {
        const [first, last] = [before![index]!, now[index]!];
        // FRR counts from 0 again when it has given a neighbour up.
        return { router, neighbour, events: last >= first ? last - first : last };
      });
    },
  };
}
