/** VNs as a picture: Graphviz, compiled for Node.js, lays out each side alone, and the sides stand side by side. */
import type { VnGraph } from '../../controller/graph.ts';
import { colours, dotSide, sideTitle, titleOf } from './dot.ts';

/** In points, as Graphviz counts. */
const gap = 12;
const lineHeight = 18;

interface Drawn {
  readonly width: number;
  readonly height: number;
  /** The elements of the picture, within their own coordinates. */
  readonly content: string;
  readonly title: readonly string[];
}

/** Loads Graphviz, which only this format needs. The same graph always gives the same picture. */
export async function svgGraph(graphs: readonly VnGraph[]): Promise<string> {
  const { instance } = await import('@viz-js/viz');
  const graphviz = await instance();
  const rows = graphs.map((graph) =>
    graph.sides.map((_, index): Drawn => {
      const svg = graphviz.renderString(dotSide(graph, index), { format: 'svg', engine: 'dot' });
      return { ...partsOf(svg), title: sideTitle(graph, index, graphs.length > 1) };
    }),
  );
  return pageOf(rows, titleOf(graphs));
}

/** Puts each VN into a row, and its sides next to each other. */
function pageOf(rows: readonly (readonly Drawn[])[], title: readonly string[]): string {
  const lines: string[] = [];
  let y = gap + title.length * lineHeight;
  let width = Math.max(...title.map(textWidth)) + 2 * gap;
  for (const row of rows) {
    const head = Math.max(...row.map((side) => side.title.length)) * lineHeight + gap / 2;
    const height = head + Math.max(...row.map((side) => side.height));
    let x = gap;
    for (const side of row) {
      const frame = Math.max(side.width, ...side.title.map(textWidth));
      lines.push(
        `<rect x="${x}" y="${y}" width="${round(frame)}" height="${round(height)}" fill="${colours.side}" stroke="${colours.line}"/>`,
        ...textLines(side.title, x + frame / 2, y),
        `<svg x="${round(x + (frame - side.width) / 2)}" y="${round(y + head)}" width="${side.width}" height="${side.height}" viewBox="0 0 ${side.width} ${side.height}">`,
        side.content,
        '</svg>',
      );
      x = round(x + frame + gap);
    }
    width = Math.max(width, x);
    y = round(y + height + gap);
  }
  const size = `width="${round(width)}pt" height="${y}pt" viewBox="0 0 ${round(width)} ${y}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="Helvetica,Arial,sans-serif">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...textLines(title, width / 2, gap / 2),
    ...lines,
    '</svg>',
  ].join('\n');
}

/** Lines of text around a middle, below a top. */
function textLines(lines: readonly string[], middle: number, top: number): string[] {
  return lines.map(
    (line, index) =>
      `<text x="${round(middle)}" y="${round(top + (index + 0.8) * lineHeight)}" text-anchor="middle" font-size="13">${escaped(line)}</text>`,
  );
}

/** The size of a picture by Graphviz, and what is in it without the names of elements, which would be tooltips. */
function partsOf(svg: string): Pick<Drawn, 'width' | 'height' | 'content'> {
  const [, width, height] = /viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"/.exec(svg)!;
  const content = svg
    .slice(svg.indexOf('<g '), svg.lastIndexOf('</svg>'))
    .replaceAll(/<title>[^<]*<\/title>\n?/g, '')
    .replaceAll(/<!--.*?-->\n?/gs, '')
    .replaceAll(/ (?:id|xml:space)="[^"]*"/g, '')
    .trim();
  return { width: Number(width), height: Number(height), content };
}

/** At least the width of a text in points, in the widest of usual fonts. */
function textWidth(text: string): number {
  return text.length * 8 + 2 * gap;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
