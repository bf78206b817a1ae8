/** The units that columns end in, and the ones that their values can be drawn in. */
interface Unit {
  /** The end of a column's name. */
  readonly suffix: string;
  readonly dimension: 'time' | 'bit rate' | 'packet rate' | 'size' | 'share' | 'packets';
  /** How many of the dimension's smallest unit it is. */
  readonly factor: number;
}

const units = {
  us: { suffix: 'us', dimension: 'time', factor: 1 },
  ms: { suffix: 'ms', dimension: 'time', factor: 1000 },
  s: { suffix: 's', dimension: 'time', factor: 1_000_000 },
  'bit/s': { suffix: 'bps', dimension: 'bit rate', factor: 1 },
  'kbit/s': { suffix: 'kbps', dimension: 'bit rate', factor: 1000 },
  'Mbit/s': { suffix: 'mbps', dimension: 'bit rate', factor: 1_000_000 },
  'packets/s': { suffix: 'pps', dimension: 'packet rate', factor: 1 },
  bytes: { suffix: 'bytes', dimension: 'size', factor: 1 },
  '%': { suffix: 'percent', dimension: 'share', factor: 1 },
  packets: { suffix: 'packets', dimension: 'packets', factor: 1 },
} as const satisfies Record<string, Unit>;

export type UnitName = keyof typeof units;

export const unitNames = Object.keys(units) as [UnitName, ...UnitName[]];

/** The unit of a column by the end of its name, like `lost_percent`; undefined if it has none. */
export function unitOf(column: string): UnitName | undefined {
  return unitNames.find((unit) => column.endsWith(`_${units[unit].suffix}`));
}

/** By which values in `from` are multiplied to be in `to`; undefined if they measure different things. */
export function conversion(from: UnitName, to: UnitName): number | undefined {
  const [a, b]: [Unit, Unit] = [units[from], units[to]];
  return a.dimension === b.dimension ? a.factor / b.factor : undefined;
}

/** The name of a column whose values are converted to `unit`: `d_real_ms` in s is `d_real_s`. */
export function columnIn(column: string, unit: UnitName): string {
  const own = unitOf(column);
  return own === undefined ? column : `${column.slice(0, -units[own].suffix.length)}${units[unit].suffix}`;
}

/** A column's name as words without its unit: `lost_percent` is `lost`. */
export function wordsOf(column: string): string {
  const own = unitOf(column);
  const name = own === undefined ? column : column.slice(0, -units[own].suffix.length - 1);
  return name.replaceAll('_', ' ');
}
