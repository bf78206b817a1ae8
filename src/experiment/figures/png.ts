import { Resvg } from '@resvg/resvg-js';

/** Pixels per unit of the SVG, so that figures are sharp on paper and on dense screens. */
export const pngScale = 2;

/** Converts an SVG of `renderSvg` to PNG. System fonts are only read where a text stayed text. */
export function renderPng(svg: string): Buffer {
  const font = { loadSystemFonts: svg.includes('<text') };
  return new Resvg(svg, { fitTo: { mode: 'zoom', value: pngScale }, font }).render().asPng();
}
