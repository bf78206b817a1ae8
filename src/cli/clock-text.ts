/** Clocks for people. */
import type { ClockReport } from '../controller/nodes/clocks.ts';
import { ms } from './output.ts';

export const clockHeading = ['clock offset ms', 'bound ms', 'now', 'source'];

/** Offset to this machine's clock, its bound when measured and as it has grown since, and where they come from. */
export function clockCells(clock: ClockReport | undefined): string[] {
  if (clock === undefined) return clockHeading.map(() => '-');
  return [ms(clock.offsetMs, 3), ms(clock.boundMs, 3), ms(clock.boundNowMs, 3), clock.source];
}

/** One paragraph about the sources of UTC that could not be used; none when all could. */
export function clockNotes(clocks: readonly ClockReport[]): string[] {
  const errors = new Set(clocks.flatMap((clock) => clock.errors));
  return errors.size === 0 ? [] : [[...errors].map((error) => `not used for the clocks: ${error}`).join('\n')];
}
