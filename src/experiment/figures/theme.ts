/** Colours and sizes of all figures. */

interface Colour {
  readonly light: string;
  /** In a page with a dark background. */
  readonly dark: string;
}

const ink: Colour = { light: '#1c1c1c', dark: '#ececec' };
const faint: Colour = { light: '#595959', dark: '#b4b4b4' };
const grid: Colour = { light: '#e4e4e4', dark: '#3c3c3c' };
const paper: Colour = { light: '#3d3d3d', dark: '#d2d2d2' };
export const background: Colour = { light: '#ffffff', dark: '#1b1d20' };

/**
 * Colours that also people with protanopia, deuteranopia or tritanopia distinguish from each other and from the ink, on
 * both backgrounds: found by a search, and tested. Series also differ by shape and dash.
 */
const series: readonly Colour[] = [
  { light: '#154893', dark: '#626ffa' },
  { light: '#dc8f00', dark: '#ffc203' },
  { light: '#03b46e', dark: '#78e183' },
  { light: '#aa2311', dark: '#db2d11' },
  { light: '#9996f8', dark: '#9d7dc3' },
  { light: '#a379a0', dark: '#b15669' },
];

export const colours = {
  ink: ink.light,
  faint: faint.light,
  grid: grid.light,
  paper: paper.light,
  background: background.light,
} as const;

/** The colours of series and of the ink. */
export const markColours: readonly Colour[] = [ink, ...series];

/** All colours that figures have, for the style of a page. */
export const allColours: readonly Colour[] = [ink, faint, grid, paper, background, ...series];

const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'triangle-down'];
const dashes = [[], [7, 3], [2, 2], [9, 3, 2, 3]];
const paperShapes = ['cross', 'triangle-left', 'triangle-right', 'diamond'];
export const modelDash = [6, 4];
export const paperDash = [3, 3];

export function colourOf(index: number): string {
  return series[index % series.length]!.light;
}

export function shapeOf(index: number): string {
  return shapes[index % shapes.length]!;
}

export function dashOf(index: number): readonly number[] {
  return dashes[index % dashes.length]!;
}

export function paperShapeOf(index: number): string {
  return paperShapes[index % paperShapes.length]!;
}

const fontFamily = 'Source Sans 3';
export const textSize = 13;

/** Vega-Lite's `config`. */
export const config = {
  background: colours.background,
  font: fontFamily,
  padding: 14,
  aria: false,
  view: { stroke: null },
  title: {
    anchor: 'start',
    frame: 'bounds',
    color: colours.ink,
    fontSize: 17,
    fontWeight: 'bold',
    subtitleColor: colours.faint,
    subtitleFontSize: textSize,
    subtitleLineHeight: 17,
    subtitlePadding: 5,
    offset: 14,
  },
  axis: {
    gridColor: colours.grid,
    domainColor: colours.faint,
    tickColor: colours.faint,
    labelColor: colours.ink,
    labelFontSize: textSize,
    titleColor: colours.ink,
    titleFontSize: 14,
    titleFontWeight: 'normal',
    titlePadding: 9,
    labelPadding: 4,
  },
  header: { labelColor: colours.ink, labelFontSize: 14, labelFontWeight: 'bold', labelAnchor: 'start', title: null },
} as const;
