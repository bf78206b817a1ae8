/** Figures of experiments: their definitions, how they are drawn, and the page that shows them. */
export { type FigureDefinition, figureDefinition, figureDefinitions } from './definition.ts';
export { type DrawnFigure, drawFigure, type EmptyFigure } from './draw.ts';
export { type PageContent, resultsPage } from './page.ts';
export { checkColumns, type ResultTables } from './rows.ts';
