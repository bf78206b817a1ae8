import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { hasAll, type Outline, outlineSize, outlinesOf, textWidth, type Weight, weightOf } from './font.ts';
import { allowedInXml, escapeXml } from './xml.ts';

/** What an SVG says of itself to programs that read it aloud. */
export interface Description {
  /** Begins all ids, so that several figures can be in one page. */
  readonly name: string;
  readonly title: string;
  readonly text: string;
}

/**
 * Draws a specification as SVG. The same specification gives the same bytes: it has no dates and no random ids, and
 * text is drawn as outlines. A text with characters that the font lacks stays text.
 */
export async function renderSvg(specification: TopLevelSpec, description: Description): Promise<string> {
  measureByFont();
  const { spec } = compile(specification, { logger: vega.logger(vega.Error) });
  const view = new vega.View(vega.parse(spec), { renderer: 'none', logLevel: vega.Error });
  try {
    await view.runAsync();
    // Vega numbers what it clips across all figures of a process.
    vega.resetSVGDefIds();
    return described(outlined(allowedInXml(await view.toSVG()), description.name), description);
  } finally {
    view.finalize();
  }
}

interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: unknown;
}

/** Lets Vega lay out texts by the font's own widths instead of guesses. */
function measureByFont(): void {
  const { textMetrics } = vega as unknown as { textMetrics: { width(item: TextItem, text: unknown): number } };
  textMetrics.width = ({ fontSize = 11, fontWeight }, text) =>
    textWidth(String(text ?? ''), weightOf(fontWeight), fontSize);
}

function described(svg: string, { name, title, text }: Description): string {
  const unique = svg.replaceAll(/(id="|url\(#)(clip|gradient)/g, `$1${name}-$2`);
  const heading = `<title>${escapeXml(title)}</title><desc>${escapeXml(text)}</desc>`;
  return `${unique.replace(/<svg ([^>]*)>/, `<svg role="img" $1>${heading}`)}\n`;
}

/** Replaces the texts of an SVG by outlines, each defined once. */
function outlined(svg: string, name: string): string {
  const definitions = new Map<string, string>();
  const use = (outline: Outline, weight: Weight): string => {
    const id = `${name}-${weight}-${outline.index}`;
    definitions.set(id, `<path id="${id}" d="${outline.path}"/>`);
    return `<use href="#${id}"${outline.x === 0 ? '' : ` x="${outline.x}"`}/>`;
  };
  const body = svg.replaceAll(/<text([^>]*)>(.*?)<\/text>/gs, (text, attributes: string, content: string) => {
    const lines = linesOf(content);
    const weight = weightOf(attribute(attributes, 'font-weight'));
    if (!lines.every((line) => hasAll(line.text, weight))) return text;
    const size = Number.parseFloat(attribute(attributes, 'font-size') ?? '11');
    const kept = attributes.replaceAll(/ (text-anchor|font-[a-z]+)="[^"]*"/g, '');
    const drawn = lines.map(({ text: line, y }) => {
      const start = -shareBefore(attribute(attributes, 'text-anchor')) * textWidth(line, weight, size);
      const glyphs = outlinesOf(line, weight).filter(({ path }) => path !== '');
      const place = `translate(${rounded(start)},${rounded(y)}) scale(${rounded(size / outlineSize)})`;
      return `<g transform="${place}">${glyphs.map((glyph) => use(glyph, weight)).join('')}</g>`;
    });
    return `<g aria-label="${escapeXml(lines.map((line) => line.text).join(' '))}"${kept}>${drawn.join('')}</g>`;
  });
  const sorted = [...definitions].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, definition]) => definition);
  return body.replace(/<svg [^>]*>/, (start) => `${start}<defs>${sorted.join('')}</defs>`);
}

interface Line {
  readonly text: string;
  /** From the base line of the first one. */
  readonly y: number;
}

function linesOf(content: string): Line[] {
  if (!content.includes('<tspan')) return [{ text: unescapeXml(content), y: 0 }];
  let y = 0;
  return [...content.matchAll(/<tspan([^>]*)>(.*?)<\/tspan>/gs)].map(([, attributes, text]) => {
    y += Number.parseFloat(attribute(attributes!, 'dy') ?? '0');
    return { text: unescapeXml(text!), y };
  });
}

function attribute(attributes: string, name: string): string | undefined {
  return new RegExp(` ${name}="([^"]*)"`).exec(attributes)?.[1];
}

function shareBefore(anchor: string | undefined): number {
  return anchor === 'middle' ? 0.5 : anchor === 'end' ? 1 : 0;
}

function rounded(value: number): string {
  return String(Number(value.toFixed(4)));
}

function unescapeXml(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}
