/** Pure: the rows of the table that a figure shows. */

/** What a mark is: measured here, computed by the loss model, or reported by a paper. */
export type Role = 'measured' | 'model' | 'paper';

/** One mark, or one point of a line. */
export interface FigureRow {
  readonly role: Role;
  readonly panel: string;
  /** What the legend calls it. */
  readonly series: string;
  readonly x: number | string | null;
  /** The other end of a range on the x axis. */
  readonly x2: number | null;
  readonly y: number | null;
  /** The ends of the spread, or of a range on the y axis. */
  readonly low: number | null;
  readonly high: number | null;
  readonly n: number | null;
  readonly run: number | null;
  /** What it is drawn as. */
  readonly shape: 'point' | 'line' | 'rule' | 'range' | 'bar';
}
