/**
 * What every data plane must do, as a controller sees it: the same requests give the same answers and the same fate of
 * packets.
 */
import { describe } from 'vitest';
import { flip } from './flip.ts';
import { operations } from './operations.ts';
import { packets } from './packets.ts';
import type { PlaneUnderTest } from './under-test.ts';

export function contractOf(plane: PlaneUnderTest): void {
  describe('operations', () => operations(plane));
  describe('packets', () => packets(plane));
  describe('flips', () => flip(plane));
}
