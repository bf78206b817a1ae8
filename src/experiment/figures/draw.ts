import { formatCsv } from '../table.ts';
import { contentOf, contentTable } from './content.ts';
import type { FigureDefinition } from './definition.ts';
import type { ResultTables } from './rows.ts';

/** A figure in all its forms; they say the same for the same tables and definition, byte for byte. */
export interface DrawnFigure {
  readonly definition: FigureDefinition;
  readonly svg: string;
  readonly png: Buffer;
  /** The data that it was drawn from. */
  readonly csv: string;
}

/** A figure that cannot be drawn since no completed run has a value for it. */
export interface EmptyFigure {
  readonly definition: FigureDefinition;
  readonly svg: undefined;
}

/**
 * Draws a figure from the tables of a result folder. Throws VnmError `invalid-input` if it names a column that does not
 * exist. The libraries that draw are loaded with the first figure.
 */
export async function drawFigure(
  tables: ResultTables,
  definition: FigureDefinition,
): Promise<DrawnFigure | EmptyFigure> {
  const content = contentOf(tables, definition);
  if (content === undefined) return { definition, svg: undefined };
  const [{ specificationOf }, { renderSvg }, { renderPng }] = await Promise.all([
    import('./specification.ts'),
    import('./svg.ts'),
    import('./png.ts'),
  ]);
  const { name, title, caption = '' } = definition;
  const text = [caption, ...content.notes].filter((part) => part !== '').join(' ');
  const svg = await renderSvg(specificationOf(content), { name, title, text });
  return { definition, svg, png: renderPng(svg), csv: formatCsv(contentTable(content)) };
}
