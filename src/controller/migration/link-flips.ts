/** How the neighbours of a moving router come to send to its new place, which depends on what the router is. */
import type { NodeName, RouterName } from '../../model/names.ts';
import type { RouterMove } from '../../planning/neighbourhood.ts';
import { writeIfPossible } from '../base/best-effort.ts';
import type { Batches } from '../batches/batches.ts';
import { sendAllTo, sendTo } from '../batches/second-place.ts';
import { applyAll } from '../nodes/agents.ts';
import type { MoveProgress } from './move-progress.ts';
import type { Run } from './types.ts';

export interface LinkFlips {
  /** Makes the neighbours accept packets from both places, and send to the old one. */
  admit(): Promise<void>;
  /** Makes the neighbours send to the new place, and accept packets from both. */
  flip(): Promise<void>;
  /** Makes them send to the old place again. `other`: the new one, if it can be reached. */
  back(other: NodeName | undefined): Promise<void>;
  /** Makes them send to the place on `kept`, and accept packets only from there. */
  settle(kept: NodeName): Batches;
}

/** Of a router whose two places look the same to its neighbours: each tunnel gets another remote (VROOM, 3.3). */
export function tunnelFlips(run: Run, { router, from, to }: RouterMove, progress: MoveProgress): LinkFlips {
  const { agents, old } = run;
  const { instance } = old;
  const send = (node: NodeName, other?: NodeName) => sendAllTo(run, instance, router, node, other);
  return {
    admit: async () => {
      await applyAll(agents, send(from, to));
    },
    flip: async () => {
      for (const { neighbour, batches } of sendTo(run, instance, router, to, from)) {
        const startedAt = Date.now();
        await applyAll(agents, batches);
        noteFlip(run, progress, { router, neighbour, to, startedAt, finishedAt: Date.now() });
      }
    },
    back: async (other) => {
      await applyAll(agents, send(from, other));
    },
    settle: (kept) => send(kept),
  };
}

interface Flip {
  readonly router: RouterName;
  readonly neighbour: string;
  readonly to: NodeName;
  readonly plannedAt?: number;
  readonly startedAt: number;
  readonly finishedAt: number;
}

export function noteFlip({ context, id }: Run, progress: MoveProgress, flip: Flip): void {
  progress.flips.push(flip);
  writeIfPossible(context, () => context.store.migrations.addFlip(id!, flip));
}
