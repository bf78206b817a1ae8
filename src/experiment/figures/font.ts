/**
 * The font of the figures, as outlines: with them a figure looks the same on every machine, in every program, and as
 * PNG. It is Source Sans 3 under the SIL Open Font License.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import opentype, { type Font, type Glyph, type PathCommand } from 'opentype.js';

const files = {
  normal: import.meta.resolve('@expo-google-fonts/source-sans-3/400Regular/SourceSans3_400Regular.ttf'),
  bold: import.meta.resolve('@expo-google-fonts/source-sans-3/600SemiBold/SourceSans3_600SemiBold.ttf'),
} as const;

export type Weight = keyof typeof files;

/** The size of the outlines, in the unit in which their places in a text are. */
export const outlineSize = 1000;

export interface Outline {
  /** Distinguishes the outlines of a weight. */
  readonly index: number;
  /** SVG path data with y downwards from the base line; empty for a space. */
  readonly path: string;
  /** Where it begins in the text. */
  readonly x: number;
}

const loaded = new Map<Weight, Font>();

function fontOf(weight: Weight): Font {
  const known = loaded.get(weight);
  if (known !== undefined) return known;
  const bytes = readFileSync(fileURLToPath(files[weight]));
  const font = opentype.parse(new Uint8Array(bytes).buffer);
  loaded.set(weight, font);
  return font;
}

/** The weight that a figure's `font-weight` is drawn in. */
export function weightOf(fontWeight: unknown): Weight {
  return fontWeight === 'bold' || Number(fontWeight) >= 600 ? 'bold' : 'normal';
}

/** The width of a text of the given size, kerning included. */
export function textWidth(text: string, weight: Weight, size: number): number {
  return (placed(text, weight).width * size) / outlineSize;
}

/** Whether the font has all characters of a text. */
export function hasAll(text: string, weight: Weight): boolean {
  const font = fontOf(weight);
  return [...text].every((character) => font.charToGlyphIndex(character) > 0);
}

/** The outlines of a text at `outlineSize`, from its left end. */
export function outlinesOf(text: string, weight: Weight): Outline[] {
  return placed(text, weight).glyphs.map(({ glyph, x }) => ({
    index: glyph.index,
    path: pathData(glyph.getPath(0, 0, outlineSize).commands),
    x: Math.round(x),
  }));
}

/** Whole numbers are exact enough: a unit is a hundredth of a pixel. */
function pathData(commands: readonly PathCommand[]): string {
  return commands
    .map((command) => {
      const { type } = command;
      if (type === 'Z') return type;
      const numbers = [
        ...(type === 'C' || type === 'Q' ? [command.x1, command.y1] : []),
        ...(type === 'C' ? [command.x2, command.y2] : []),
        command.x,
        command.y,
      ];
      return `${type}${numbers.map((number) => Math.round(number)).join(' ')}`;
    })
    .join('');
}

/** One glyph per character with kerning: figures need neither ligatures nor other scripts. */
function placed(text: string, weight: Weight): { glyphs: { glyph: Glyph; x: number }[]; width: number } {
  const font = fontOf(weight);
  const scale = outlineSize / font.unitsPerEm;
  const glyphs: { glyph: Glyph; x: number }[] = [];
  let width = 0;
  for (const character of text) {
    const glyph = font.charToGlyph(character);
    const before = glyphs.at(-1);
    if (before !== undefined) width += font.getKerningValue(before.glyph, glyph) * scale;
    glyphs.push({ glyph, x: width });
    width += (glyph.advanceWidth ?? 0) * scale;
  }
  return { glyphs, width };
}

/** Splits a text into lines that are at most `width` wide, where it has spaces. */
export function wrapped(text: string, weight: Weight, size: number, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer, weight, size) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
