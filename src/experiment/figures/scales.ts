/** Pure: where axes begin and end, and where they have ticks. */

/** An axis as it is drawn. */
export interface DrawnAxis {
  /** The column with the unit drawn, as it is called in the figure's table. */
  readonly column: string;
  readonly title: string;
  readonly scale: 'linear' | 'log' | 'symlog';
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** Whether an axis has a place for a value: a logarithmic one has none for 0 and less. */
export function isOn(value: number, { scale, min, max }: DrawnAxis): boolean {
  return (scale !== 'log' || value > 0) && value >= (min ?? value) && value <= (max ?? value);
}

type Domain = readonly [number, number];

/** How much of an axis is left free at its ends, so that no mark is cut. */
const margin = 0.035;

/**
 * Where an axis begins and ends: around all values, from 0 where all are 0 or more and `isFromZero`. The ends that the
 * definition gives are kept.
 */
export function domainOf({ scale, min, max }: DrawnAxis, values: readonly number[], isFromZero: boolean): Domain {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const [from, to] = around(least, most, scale, isFromZero);
  return [min ?? from, max ?? to];
}

function around(least: number, most: number, scale: DrawnAxis['scale'], isFromZero: boolean): Domain {
  if (scale === 'linear') {
    const [low, high] = isFromZero ? [Math.min(0, least), Math.max(0, most)] : [least, most];
    const free = margin * (high - low) || Math.abs(most) / 2 || 1;
    return [isFromZero && low === 0 ? 0 : low - free, isFromZero && high === 0 && low < 0 ? 0 : high + free];
  }
  const [there, back] =
    scale === 'log' ? [Math.log, Math.exp] : [(value: number) => onSymlog(value), (value: number) => fromSymlog(value)];
  const [start, end] = [there(least), there(most)];
  const free = margin * (end - start) || Math.LN2;
  return [back(start - free), back(end + free)];
}

/** The place of a value on a symlog axis whose constant is 1, and back. */
export function onSymlog(value: number): number {
  return Math.sign(value) * Math.log1p(Math.abs(value));
}

export function fromSymlog(value: number): number {
  return Math.sign(value) * Math.expm1(Math.abs(value));
}

/**
 * The ticks of an axis that is not linear; Vega chooses those of symlog as if it was, and too many for log. A narrow
 * axis has fewer.
 */
export function ticksOf(scale: 'log' | 'symlog', [from, to]: Domain, isNarrow: boolean): number[] {
  const ticks = scale === 'log' ? ticksOfLog(from, to) : ticksOfSymlog(Math.max(-from, to), isNarrow);
  return ticks.filter((value) => value >= from && value <= to);
}

function ticksOfSymlog(most: number, isNarrow: boolean): number[] {
  // 0 and 1 are close together on an axis of thousands.
  const powers = powersOfTen(most >= 1000 ? 10 : 1, most).filter((_, index) => !isNarrow || index % 2 === 1);
  return [...powers.map((value) => -value).reverse(), 0, ...powers];
}

function ticksOfLog(from: number, to: number): number[] {
  const decades = powersOfTen(from, to);
  const inside = decades.filter((value) => value >= from && value <= to);
  return inside.length >= 3 ? decades : decades.flatMap((value) => [value, 2 * value, 5 * value]);
}

/** The powers of ten from at most `from` to at most `to`; none if `to` is smaller. */
function powersOfTen(from: number, to: number): number[] {
  if (to < from) return [];
  const [first, last] = [Math.floor(Math.log10(from) + 1e-9), Math.floor(Math.log10(to) + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, index) => Number(`1e${first + index}`));
}
