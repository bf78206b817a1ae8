/** Looks at the old side before a migration begins, without changing anything. */
import type { Baseline } from '../../store/migrations.ts';
import { both } from './both.ts';
import { refuseDamage } from './damage.ts';
import { type OldSide, proveBefore } from './proof.ts';

/**
 * Finds what is missing on the old side, and meanwhile how its end hosts reach each other: one waits for the nodes, the
 * other for packets. With `repairFirst` repairs before it looks. Throws as `refuseDamage`.
 */
export async function examine(
  side: OldSide,
  command: string,
  { repairFirst = false }: { readonly repairFirst?: boolean | undefined },
): Promise<Baseline> {
  if (repairFirst) {
    await refuseDamage(side, command, true);
    return proveBefore(side);
  }
  const [, baseline] = await both(
    () => refuseDamage(side, command, false),
    () => proveBefore(side),
  );
  return baseline;
}
