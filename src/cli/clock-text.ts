/** Formats clock reports for people. */
import type { ClockReport } from '../controller/nodes/clocks.ts';
import { ms } from './output.ts';

export const clockHeading = ['clock offset ms', 'bound ms', 'now', 'source'];

/** The cells of a clock: offset to this machine's clock, its bound when measured and now, and their source. */
export function clockCells(clock: ClockReport | undefined): string[] {
  if (clock === undefined) return clockHeading.map(() => '-');
  return [ms(clock.offsetMs, 3), ms(clock.boundMs, 3), ms(clock.boundNowMs, 3), clock.source];
}

/** One paragraph about the UTC sources that could not be used; empty when all could. */
export function clockNotes(clocks: readonly ClockReport[]): string[] {
  const errors = new Set(clocks.flatMap((clock) => clock.errors));
  return errors.size === 0 ? [] : [[...errors].map((error) => `time source not used: ${error}`).join('\n')];
}
